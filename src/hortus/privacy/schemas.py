"""Request and response bodies of the privacy routes."""

from typing import Literal

from pydantic import BaseModel, Field

from hortus.core.schemas import Body, MustBeTrue, Time
from hortus.core.security.credentials import Credential


class ConsentOut(BaseModel):
    """The current consent of one kind."""

    given: bool
    version: str | None = Field(description="The version of the text that was accepted or declined")
    said_at: Time | None
    current_version: str = Field(description="The current version of the text; ask again if `version` differs")


class ConsentsOut(BaseModel):
    """The current consents of a user."""

    terms: ConsentOut
    marketing: ConsentOut


class ConsentsIn(Body):
    """The consents to change; absent fields stay. Terms cannot be withdrawn: delete the account instead."""

    terms: MustBeTrue | None = None
    marketing: bool | None = None


class ConsentRecordOut(BaseModel):
    """One recorded change of a consent."""

    id: str
    kind: Literal["terms", "marketing"]
    given: bool
    version: str
    source: Literal["sign_up", "change"]
    network: str | None = Field(description="The anonymised network: the /24 or /48 of the address")
    said_at: Time


class DataExportOut(BaseModel):
    """An archive of all data about a user. `url` is valid for a few minutes; a new request returns a new one."""

    id: str
    status: Literal["building", "ready", "failed", "expired"]
    created_at: Time
    ready_at: Time | None
    expires_at: Time
    bytes: int | None
    sha256: str | None
    url: Credential | None = Field(description="Where to download the ZIP once it is ready")


class DeletionOut(BaseModel):
    """A closed account. Signing in before `erase_at` cancels the deletion."""

    status: Literal["closing"] = "closing"
    deleted_at: Time
    erase_at: Time
