"""Identifiers on the wire."""

from typing import Literal

from pydantic import BaseModel, Field

from hortus.accounts.codes.schemas import CODE_NAMES, Code, TargetIn
from hortus.core.schemas import Time


class AddIn(TargetIn):
    """An address or number to add, or to verify."""


class ProveIn(TargetIn):
    """The code that came there."""

    code: Code = Field(validation_alias=CODE_NAMES)


class IdentifierOut(BaseModel):
    """How a user is reached."""

    id: str
    kind: Literal["email", "mobile"]
    value: str
    verified: bool
    created_at: Time
