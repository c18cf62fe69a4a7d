"""What people send and see about their own data."""

from typing import Literal

from pydantic import BaseModel, Field

from hortus.core.schemas import Body, MustBeTrue, Time
from hortus.core.security.credentials import Credential


class ConsentOut(BaseModel):
    """What holds now for one kind of consent."""

    given: bool
    version: str | None = Field(description="The text that was agreed to, or refused")
    said_at: Time | None
    current_version: str = Field(description="The text in force; ask again where `version` is another one")


class ConsentsOut(BaseModel):
    """What a user agrees to."""

    terms: ConsentOut
    marketing: ConsentOut


class ConsentsIn(Body):
    """What changes; absent fields stay. Terms cannot be taken back: delete the account instead."""

    terms: MustBeTrue | None = None
    marketing: bool | None = None


class ConsentRecordOut(BaseModel):
    """One thing that was said, for the record."""

    id: str
    kind: Literal["terms", "marketing"]
    given: bool
    version: str
    source: Literal["sign_up", "change"]
    network: str | None = Field(description="Roughly from where: the /24 or /48 of the address")
    said_at: Time


class DataExportOut(BaseModel):
    """An archive of everything known of a user. `url` is good for a few minutes; asking again gives a fresh one."""

    id: str
    status: Literal["building", "ready", "failed", "expired"]
    created_at: Time
    ready_at: Time | None
    expires_at: Time
    bytes: int | None
    sha256: str | None
    url: Credential | None = Field(description="Where to download the ZIP once it is ready")


class DeletionOut(BaseModel):
    """An account on its way out. Signing in before `erase_at` keeps it."""

    status: Literal["closing"] = "closing"
    deleted_at: Time
    erase_at: Time
