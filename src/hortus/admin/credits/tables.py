"""Table of credit grants requested by administrators."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type


class CreditRequest(Base):
    """One request to grant credits. It leaves `pending` once; `decided_by` is the second administrator, if any."""

    __tablename__ = "credit_requests"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'granted', 'rejected', 'reversed')", "status_is_known"),
        CheckConstraint("amount > 0", "amount_is_positive"),
        CheckConstraint("decided_by IS NULL OR decided_by <> asked_by OR status = 'rejected'", "two_people"),
        Index("ix_credit_requests_by_status", "status", "id"),
        Index("ix_credit_requests_of_user", "user_id", "id"),
        Index("ix_credit_requests_of_asker", "asked_by", "created_at"),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type())
    amount: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(500))
    status: Mapped[str] = mapped_column(String(10))
    asked_by: Mapped[str] = mapped_column(id_type())
    decided_by: Mapped[str | None] = mapped_column(id_type())
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
