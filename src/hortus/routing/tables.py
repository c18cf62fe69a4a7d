"""Offers that an administrator switched off, and vendors that refused our key."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base


class OfferOff(Base):
    """One offer that is not sold until somebody switches it on again. `model` is the vendor's own name."""

    __tablename__ = "offers_off"

    provider: Mapped[str] = mapped_column(String(80), primary_key=True)
    model: Mapped[str] = mapped_column(String(120), primary_key=True)
    since: Mapped[datetime]


class KeyRefusal(Base):
    """A provider whose vendor refused the key: nothing of it is sold until the vendor accepts the key again."""

    __tablename__ = "key_refusals"

    provider: Mapped[str] = mapped_column(String(80), primary_key=True)
    since: Mapped[datetime]
    checked_at: Mapped[datetime]
    """When the vendor was last asked; one process asks for all."""
