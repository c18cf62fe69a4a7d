"""Users as staff see them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from hortus.admin.schemas import Reason
from hortus.core.schemas import Body, Time

RoleName = Literal["user", "support", "admin"]
StatusName = Literal["active", "suspended", "closing", "deleted"]


class PersonOut(BaseModel):
    """One line of the directory."""

    id: str
    name: str | None
    role: str
    status: str
    email: str | None
    mobile_number: str | None
    created_at: Time


class ReachedOut(BaseModel):
    """How a user is reached."""

    kind: str
    value: str
    verified_at: Time | None


class PersonDetailsOut(PersonOut):
    """One user with what they may do and have done; money stands under `/credits`."""

    identifiers: list[ReachedOut]
    has_password: bool
    passkeys: int
    live_sessions: int
    marketing_consent: bool
    updated_at: Time
    plan: str
    windows: Annotated[list[dict[str, Any]], Field(description="As in GET /api/user/usage")]


class RoleIn(Body):
    """Promote or demote."""

    role: RoleName
    reason: Reason


class SignedOutOut(BaseModel):
    """How many devices were signed out."""

    sessions_ended: int
