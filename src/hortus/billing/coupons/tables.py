"""Codes that customers type in: what they give, and who used them.

`user_id` is no foreign key: papers about money outlive people.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type

DIGEST = String(64).with_variant(String(64, collation="C"), "postgresql")


class Coupon(Base):
    """One code. `percent` and `amount` take something off one payment; `credit` is a gift of micro-credits.

    The code itself is not stored: `digest` is its HMAC under a key of the installation, `hint` its last characters.
    `taken` counts the uses that are reserved or done; only conditional updates change it.
    """

    __tablename__ = "coupons"
    __table_args__ = (
        CheckConstraint(
            "(kind = 'percent' AND percent BETWEEN 1 AND 100) "
            "OR (kind = 'amount' AND amount_minor > 0 AND currency IS NOT NULL) "
            "OR (kind = 'credit' AND credits > 0)",
            "kind_has_its_value",
        ),
        CheckConstraint("taken >= 0", "taken_not_negative"),
        CheckConstraint("limit_total > 0", "limit_total_positive"),
        CheckConstraint("limit_per_user > 0", "limit_per_user_positive"),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    digest: Mapped[str] = mapped_column(DIGEST, unique=True)
    hint: Mapped[str] = mapped_column(String(4))
    name: Mapped[str] = mapped_column(String(80))
    """What the operator calls it; customers read it in their history of credits."""
    kind: Mapped[str] = mapped_column(String(10))
    percent: Mapped[int | None]
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    credits: Mapped[int | None] = mapped_column(BigInteger)
    credit_days: Mapped[int | None]
    """For how long a gift can be spent; None for ever."""
    plan: Mapped[str | None] = mapped_column(String(20))
    pack: Mapped[str | None] = mapped_column(String(20))
    limit_total: Mapped[int | None]
    limit_per_user: Mapped[int | None]
    taken: Mapped[int]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    active: Mapped[bool]
    created_at: Mapped[datetime]


class CouponHolder(Base):
    """How many uses of a coupon one user has, reserved or done."""

    __tablename__ = "coupon_holders"
    __table_args__ = (CheckConstraint("taken >= 0", "taken_not_negative"),)

    coupon_id: Mapped[str] = mapped_column(ForeignKey(Coupon.id), primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    taken: Mapped[int]


class Redemption(Base):
    """One use. `reserved` with a checkout that waits; then `used`, or `returned` when the checkout ended unpaid."""

    __tablename__ = "coupon_redemptions"
    __table_args__ = (
        CheckConstraint("status IN ('reserved', 'used', 'returned')", "status_is_known"),
        Index(None, "coupon_id", "id"),
        Index(None, "user_id", "id"),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    coupon_id: Mapped[str] = mapped_column(ForeignKey(Coupon.id))
    user_id: Mapped[str] = mapped_column(id_type())
    checkout_id: Mapped[str | None] = mapped_column(ForeignKey("checkouts.id"), unique=True)
    status: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
