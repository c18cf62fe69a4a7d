"""Table of automatic top-ups."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type

WATCHED = "enabled OR checkout_id IS NOT NULL"


class AutoTopup(Base):
    """The automatic top-up of one customer. `checkout_id` is the order in progress, if any.

    `spent_minor` is the sum ordered in `month` without failed orders. One conditional update stores the order and
    adds its amount, so concurrent orders cannot exceed the cap.
    """

    __tablename__ = "auto_topups"
    __table_args__ = (
        CheckConstraint("below > 0 AND monthly_cap_minor > 0 AND spent_minor >= 0", "amounts_make_sense"),
        Index("ix_auto_topups_watched", "user_id", postgresql_where=text(WATCHED), sqlite_where=text(WATCHED)),
    )

    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    enabled: Mapped[bool]
    pack: Mapped[str] = mapped_column(String(20))
    gateway: Mapped[str] = mapped_column(String(40))
    currency: Mapped[str] = mapped_column(String(3))
    below: Mapped[int] = mapped_column(BigInteger)
    monthly_cap_minor: Mapped[int] = mapped_column(BigInteger)
    month: Mapped[str] = mapped_column(String(7))
    spent_minor: Mapped[int] = mapped_column(BigInteger)
    hour_started: Mapped[datetime]
    hour_count: Mapped[int]
    checkout_id: Mapped[str | None] = mapped_column(id_type())
    failures: Mapped[int]
    next_at: Mapped[datetime]
    stopped: Mapped[str | None] = mapped_column(String(20))
    """Why it was disabled after failures: `declined` or `refused`."""
    updated_at: Mapped[datetime]
