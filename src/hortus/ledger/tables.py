"""Tables of the double-entry ledger. Amounts are micro-credits.

`user_id` is not a foreign key: erasing a user anonymises the user and keeps these rows.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, append_only, id_type

REFERENCE = String(120).with_variant(String(120, collation="C"), "postgresql")
HOT_UPDATES = {"fillfactor": 80}  # leaves space for heap-only updates, which touch no index


class CreditAccount(Base):
    """Credit account of one user. A transaction locks this row before it changes the row or the user's grants.

    `balance` is the sum of the account's entries, and equals the remaining amounts of its grants less `debt`;
    `held` is the sum of its open reservations. System accounts have no row, because every transaction would update
    it: their balance is the sum of their entries.
    """

    __tablename__ = "credit_accounts"
    __table_args__ = (
        CheckConstraint("held >= 0", "held_not_negative"),
        CheckConstraint("debt >= 0", "debt_not_negative"),
        CheckConstraint("held <= balance + debt", "held_is_covered"),
        {"postgresql_with": HOT_UPDATES},
    )

    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    balance: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger)
    debt: Mapped[int] = mapped_column(BigInteger)


class CreditGrant(Base):
    """One grant of credit. Grants are spent by priority, then by expiry, then by age.

    `amount` = `remaining` + spent + `expired` + clawed back + used to pay a debt.
    """

    __tablename__ = "credit_grants"
    __table_args__ = (
        CheckConstraint("0 <= held AND held <= remaining AND remaining <= amount", "parts_fit"),
        CheckConstraint("amount > 0", "amount_is_positive"),
        CheckConstraint("0 <= expired AND 0 <= clawed_back AND expired + clawed_back <= amount", "losses_fit"),
        CheckConstraint("remaining + expired <= amount", "nothing_comes_back"),
        CheckConstraint("is_open = (remaining > 0)", "open_while_it_lasts"),
        Index("ix_credit_grants_open", "user_id", postgresql_where=text("is_open"), sqlite_where=text("is_open")),
        Index(
            "ix_credit_grants_expiring", "expires_at", postgresql_where=text("is_open"), sqlite_where=text("is_open")
        ),
        {"postgresql_with": HOT_UPDATES},
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type(), index=True)
    reference: Mapped[str] = mapped_column(REFERENCE, unique=True)
    reason: Mapped[str] = mapped_column(String(200))
    priority: Mapped[int] = mapped_column(SmallInteger)
    amount: Mapped[int] = mapped_column(BigInteger)
    remaining: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger)
    expired: Mapped[int] = mapped_column(BigInteger)
    clawed_back: Mapped[int] = mapped_column(BigInteger)
    is_open: Mapped[bool]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class CreditReservation(Base):
    """Credit held for one generation. It leaves the status `open` once and never returns to it."""

    __tablename__ = "credit_reservations"
    __table_args__ = (
        CheckConstraint("status IN ('open', 'settled', 'released', 'expired')", "status_is_known"),
        CheckConstraint("amount >= 0 AND settled_amount >= 0 AND settled_amount <= amount", "settled_fits"),
        CheckConstraint("(status = 'open') = (closed_at IS NULL)", "closed_once"),
        Index(
            "ix_credit_reservations_open",
            "expires_at",
            postgresql_where=text("status = 'open'"),
            sqlite_where=text("status = 'open'"),
        ),
        {"postgresql_with": HOT_UPDATES},
    )

    reference: Mapped[str] = mapped_column(REFERENCE, primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type())
    amount: Mapped[int] = mapped_column(BigInteger)
    settled_amount: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(10))
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class ReservationPart(Base):
    """The part of a reservation that one grant holds. Spent from position 0 upwards; rows are immutable."""

    __tablename__ = "reservation_parts"
    __table_args__ = (CheckConstraint("amount > 0", "amount_is_positive"),)

    reference: Mapped[str] = mapped_column(ForeignKey(CreditReservation.reference), primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    grant_id: Mapped[str] = mapped_column(ForeignKey(CreditGrant.id))
    amount: Mapped[int] = mapped_column(BigInteger)


class Entry(Base):
    """One side of a movement. The entries of a reference sum to zero; rows are immutable.

    `account` is a user's id or one of the system accounts in `entries`.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        UniqueConstraint("reference", "account"),
        CheckConstraint("amount <> 0", "amount_moves"),
        Index(None, "account", "id"),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    account: Mapped[str] = mapped_column(id_type())
    amount: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(200))
    reference: Mapped[str] = mapped_column(REFERENCE)
    grant_id: Mapped[str | None] = mapped_column(ForeignKey(CreditGrant.id))
    created_at: Mapped[datetime]


append_only(Entry.__table__)  # type: ignore[arg-type]
