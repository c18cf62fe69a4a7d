"""Request and response bodies of users."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from hortus.admin.schemas import Reason
from hortus.core.schemas import Body, Time

RoleName = Literal["user", "support", "admin"]
StatusName = Literal["active", "suspended", "closing", "deleted"]


class AdminUserOut(BaseModel):
    """One user in a list."""

    id: str
    name: str | None
    role: str
    status: str
    email: str | None
    mobile_number: str | None
    created_at: Time


class AdminIdentifierOut(BaseModel):
    """An email address or mobile number of a user."""

    kind: str
    value: str
    verified_at: Time | None


class AdminUserDetailsOut(AdminUserOut):
    """One user with identifiers, credentials, plan and quota; balances are under `/credits`."""

    identifiers: list[AdminIdentifierOut]
    has_password: bool
    passkeys: int
    live_sessions: int
    marketing_consent: bool
    updated_at: Time
    plan: str
    windows: Annotated[list[dict[str, Any]], Field(description="As in GET /api/user/usage")]


class RoleIn(Body):
    """The new role."""

    role: RoleName
    reason: Reason


class SignedOutOut(BaseModel):
    """Number of sessions ended."""

    sessions_ended: int
