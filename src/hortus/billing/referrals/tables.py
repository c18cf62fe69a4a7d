"""Tables of referral codes and referrals.

`user_id` is no foreign key: records of payments are kept after an account is erased.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type


class ReferralCode(Base):
    """The referral code of a customer. It is public and grants no access."""

    __tablename__ = "referral_codes"

    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    code: Mapped[str] = mapped_column(String(12), unique=True)
    created_at: Mapped[datetime]


class Referral(Base):
    """One customer referred another. It leaves `pending` with the first payment of the referred customer.

    `rewarded` may become `clawed_back`; `void` granted nothing. The granted amounts are stored with it.
    """

    __tablename__ = "referrals"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'rewarded', 'clawed_back', 'void')", "status_is_known"),
        CheckConstraint("user_id <> referrer_id", "not_self_referred"),
        Index(None, "referrer_id", "status"),
    )

    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    referrer_id: Mapped[str] = mapped_column(id_type())
    status: Mapped[str] = mapped_column(String(20))
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), unique=True)
    reward: Mapped[int] = mapped_column(BigInteger)
    welcome: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    rewarded_at: Mapped[datetime | None]
