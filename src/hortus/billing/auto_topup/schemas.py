"""Schemas of automatic top-ups."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from hortus.billing.auto_topup.service import month_of
from hortus.billing.auto_topup.tables import AutoTopup
from hortus.billing.price_list.schemas import Currency, Name
from hortus.core import clock
from hortus.core.schemas import Body, MicroCredits, Time


class AutoTopupIn(Body):
    """Buy `pack` whenever less than `below` is available, for at most `monthly_cap_minor` in a calendar month (UTC)."""

    pack: Name
    below: Annotated[str, StringConstraints(max_length=15, pattern=r"^[1-9][0-9]{0,14}$")] = Field(
        description="Micro-credits"
    )
    monthly_cap_minor: int = Field(gt=0, le=10**12)
    currency: Currency | None = None
    enabled: bool = True


class AutoTopupOut(BaseModel):
    """The settings and state. `stopped` is the reason it was disabled after failures: `declined` or `refused`."""

    enabled: bool
    pack: str | None = None
    below: MicroCredits | None = None
    currency: str | None = None
    gateway: str | None = None
    monthly_cap_minor: int | None = None
    spent_minor: int = 0
    on_its_way: bool = False
    failures: int = 0
    next_at: Time | None = None
    stopped: str | None = None

    @classmethod
    def of(cls, row: AutoTopup | None) -> "AutoTopupOut":
        """From the row, if there is one."""
        if row is None:
            return cls(enabled=False)
        return cls(
            enabled=row.enabled,
            pack=row.pack,
            below=row.below,
            currency=row.currency,
            gateway=row.gateway,
            monthly_cap_minor=row.monthly_cap_minor,
            spent_minor=row.spent_minor if row.month == month_of(clock.now()) else 0,
            on_its_way=row.checkout_id is not None,
            failures=row.failures,
            next_at=row.next_at if row.failures else None,
            stopped=row.stopped,
        )
