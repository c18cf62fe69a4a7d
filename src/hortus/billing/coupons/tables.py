"""Tables of coupons and their redemptions.

`user_id` is no foreign key: records of payments are kept after an account is erased.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type

DIGEST = String(64).with_variant(String(64, collation="C"), "postgresql")


class Coupon(Base):
    """One coupon. `percent` and `amount` discount one payment; `credit` grants micro-credits.

    The code is not stored: `digest` is its HMAC under a key of the installation, `hint` its last characters.
    `taken` counts reserved and redeemed uses; only conditional updates change it.
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
    """The operator's name for it; shown to customers in their credit history."""
    kind: Mapped[str] = mapped_column(String(10))
    percent: Mapped[int | None]
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    credits: Mapped[int | None] = mapped_column(BigInteger)
    credit_days: Mapped[int | None]
    """Days until the granted credits expire; None for never."""
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
    """The number of reserved and redeemed uses of a coupon by one user."""

    __tablename__ = "coupon_holders"
    __table_args__ = (CheckConstraint("taken >= 0", "taken_not_negative"),)

    coupon_id: Mapped[str] = mapped_column(ForeignKey(Coupon.id), primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    taken: Mapped[int]


class Redemption(Base):
    """One use: `reserved` by an open checkout, then `used`, or `returned` if the checkout expired."""

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
