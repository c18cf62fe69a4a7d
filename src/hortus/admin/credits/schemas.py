"""Request and response bodies of credit grants."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, field_validator

from hortus.admin.schemas import Reason
from hortus.core import clock
from hortus.core.schemas import Body, DateTimeIn, MicroCredits, Time

RequestStatus = Literal["pending", "granted", "rejected", "reversed"]


class CreditGrantIn(Body):
    """Credits to grant to a user."""

    amount: Annotated[str, StringConstraints(max_length=15, pattern=r"^[1-9][0-9]{0,14}$")] = Field(
        description="Micro-credits as a decimal string: `1000000` is one credit"
    )
    reason: Reason
    expires_at: DateTimeIn | None = None

    @field_validator("expires_at")
    @classmethod
    def _in_the_future(cls, value: DateTimeIn | None) -> DateTimeIn | None:
        if value is not None and value <= clock.now():
            raise ValueError("must lie in the future")
        return value


class CreditRequestOut(BaseModel):
    """One request. `pending` requires approval by a second administrator, who becomes `decided_by`."""

    id: str
    user_id: str
    amount: MicroCredits
    reason: str
    status: RequestStatus
    asked_by: str
    decided_by: str | None
    expires_at: Time | None
    created_at: Time
    decided_at: Time | None


class CreditsOut(BaseModel):
    """Balance of a user, and one page of their ledger entries."""

    credits: dict[str, str]
    items: list[dict[str, Any]]
    next_cursor: str | None
