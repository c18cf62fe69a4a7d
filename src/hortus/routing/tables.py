"""Tables of disabled offers, and of vendors that refuse the installation's key."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base


class DisabledOffer(Base):
    """An offer that an administrator disabled. `model` is the vendor's own name."""

    __tablename__ = "disabled_offers"

    provider: Mapped[str] = mapped_column(String(80), primary_key=True)
    model: Mapped[str] = mapped_column(String(120), primary_key=True)
    since: Mapped[datetime]


class KeyRefusal(Base):
    """A provider whose vendor refused the key: its offers are off until the vendor accepts the key again."""

    __tablename__ = "key_refusals"

    provider: Mapped[str] = mapped_column(String(80), primary_key=True)
    since: Mapped[datetime]
    checked_at: Mapped[datetime]
    """When the key was last checked with the vendor; one process checks for all."""
