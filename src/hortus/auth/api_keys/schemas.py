"""Request and response bodies of the API key routes."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from hortus.auth.api_keys.ip_allowlist import parse_network
from hortus.auth.api_keys.scopes import EVERYTHING, Scope
from hortus.auth.api_keys.service import LONGEST_OVERLAP_HOURS, scope_words
from hortus.auth.schemas import Name
from hortus.core import clock
from hortus.core.schemas import Body, DateTimeIn, MicroCredits, Time
from hortus.core.security.credentials import Credential

MOST = 10**15
DECIMAL = re.compile(r"^(0|[1-9][0-9]{0,15})$")


def _network(text: str) -> str:
    try:
        return str(parse_network(text))
    except ValueError as error:
        raise ValueError("must be an address or a network such as 192.0.2.0/24 or 2001:db8::/32") from error


def _from_decimal(value: Any) -> Any:
    if not isinstance(value, str) or not DECIMAL.fullmatch(value):
        raise ValueError('must be a decimal string of micro-credits, such as "1000000"')
    return int(value)


def _in_future(moment: datetime) -> datetime:
    if moment <= clock.now():
        raise ValueError("must be in the future; to stop a key now, switch it off or remove it")
    return moment


Scopes = Annotated[list[Scope], Field(min_length=1, max_length=20), AfterValidator(scope_words)]
ModelId = Annotated[str, StringConstraints(max_length=80, pattern=r"^[A-Za-z0-9._:/-]{1,80}$")]
Models = Annotated[list[ModelId], Field(min_length=1, max_length=100)]
Address = Annotated[str, StringConstraints(min_length=2, max_length=50), AfterValidator(_network)]
Addresses = Annotated[list[Address], Field(min_length=1, max_length=50)]
Future = Annotated[DateTimeIn, AfterValidator(_in_future)]
Calls = Annotated[int, Field(ge=0, le=MOST)]
Credits = Annotated[
    int,
    Field(ge=0, le=MOST),
    BeforeValidator(_from_decimal),
    WithJsonSchema({"type": "string", "maxLength": 16, "pattern": DECIMAL.pattern}),
]
"""Micro-credits on the wire: a decimal string."""


class BudgetsIn(Body):
    """At most so much per day and month; null does not limit. Credits are micro-credits."""

    daily_calls: Calls | None = None
    monthly_calls: Calls | None = None
    daily_credits: Credits | None = None
    monthly_credits: Credits | None = None


class KeyIn(Body):
    """A new key. Null lists and budgets do not limit; without `expires_at` it is valid until it is removed."""

    name: Name
    scopes: Scopes = Field(default=[EVERYTHING])
    models: Models | None = None
    addresses: Addresses | None = None
    budgets: BudgetsIn | None = None
    expires_at: Future | None = None

    def row(self) -> dict[str, Any]:
        """The columns of the key."""
        return columns_of(self.model_dump())


class KeyChange(Body):
    """The fields to change; absent fields stay. `budgets` is replaced as a whole, null removes a limit."""

    name: Name | None = None
    scopes: Scopes | None = None
    models: Models | None = None
    addresses: Addresses | None = None
    budgets: BudgetsIn | None = None
    expires_at: Future | None = None
    enabled: bool | None = None

    def row(self) -> dict[str, Any]:
        """The columns to change."""
        given = self.model_dump(exclude_unset=True)
        for name in ("name", "scopes", "enabled"):  # null leaves these unchanged
            if given.get(name, "") is None:
                del given[name]
        return columns_of(given)


def columns_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a body as columns, with the four budgets as columns of their own."""
    if "budgets" in fields:
        budgets = fields.pop("budgets") or {}
        fields |= {name: budgets.get(name) for name in BudgetsIn.model_fields}
    return fields


class RotateIn(Body):
    """For how many hours the old secret still works; 0 ends it, and all before it, at once."""

    overlap_hours: int = Field(24, ge=0, le=LONGEST_OVERLAP_HOURS)


class BudgetsOut(BaseModel):
    """The budgets of a key; null does not limit."""

    daily_calls: int | None
    monthly_calls: int | None
    daily_credits: MicroCredits | None
    monthly_credits: MicroCredits | None


class KeyOut(BaseModel):
    """A key without its secret; `prefix` is how the secret begins."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    models: list[str] | None
    addresses: list[str] | None
    budgets: BudgetsOut
    enabled: bool
    expires_at: Time | None
    created_at: Time
    rotated_at: Time | None
    last_used_at: Time | None
    last_used_address: str | None


class NewKeyOut(KeyOut):
    """A key with its secret, which is shown this once."""

    secret: Credential
    old_secret_until: Time | None = None
