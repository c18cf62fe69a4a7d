"""Request and response bodies of the passkey routes, with the names of WebAuthn."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hortus.auth.schemas import Name
from hortus.core.schemas import Body, Time

BASE64URL = r"^[A-Za-z0-9_-]+$"


class _FromBrowser(BaseModel):
    """Part of `PublicKeyCredential.toJSON()`; browsers may send further fields."""

    model_config = ConfigDict(extra="ignore", strict=True, validate_by_name=False)


ENCODED = Field(json_schema_extra={"contentEncoding": "base64url"})
CredentialId = Annotated[str, StringConstraints(min_length=1, max_length=1400, pattern=BASE64URL), ENCODED]
Encoded = Annotated[str, StringConstraints(min_length=1, max_length=8_000, pattern=BASE64URL), ENCODED]
Attestation = Annotated[str, StringConstraints(min_length=1, max_length=24_000, pattern=BASE64URL), ENCODED]
UserHandle = Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z0-9_-]*$"), ENCODED]


class AttestationIn(_FromBrowser):
    """How a new key describes itself."""

    client_data_json: Encoded = Field(alias="clientDataJSON")
    attestation_object: Attestation = Field(alias="attestationObject")


class AssertionIn(_FromBrowser):
    """A signature."""

    client_data_json: Encoded = Field(alias="clientDataJSON")
    authenticator_data: Encoded = Field(alias="authenticatorData")
    signature: Encoded
    user_handle: UserHandle | None = Field(None, alias="userHandle")


class NewCredentialIn(_FromBrowser):
    """The result of `navigator.credentials.create`."""

    id: CredentialId
    raw_id: CredentialId = Field(alias="rawId")
    type: Literal["public-key"]
    response: AttestationIn


class CredentialIn(_FromBrowser):
    """The result of `navigator.credentials.get`."""

    id: CredentialId
    raw_id: CredentialId = Field(alias="rawId")
    type: Literal["public-key"]
    response: AssertionIn


class PasskeyRegisterIn(Body):
    """A new passkey."""

    name: Name = "Passkey"
    credential: NewCredentialIn


class PasskeyUseIn(Body):
    """A passkey that signed a challenge."""

    credential: CredentialIn


class PasskeyRenameIn(Body):
    """Another name."""

    name: Name


class PasskeyOptionsOut(BaseModel):
    """Options for the browser.

    `public_key` is the JSON of WebAuthn: `navigator.credentials.create({publicKey:
    PublicKeyCredential.parseCreationOptionsFromJSON(public_key)})`, or `get` with `parseRequestOptionsFromJSON`.
    """

    public_key: dict[str, Any]
    expires_in: int = Field(description="Seconds for which the challenge is valid")


class PasskeyOut(BaseModel):
    """A passkey, as its owner sees it."""

    id: str
    name: str
    backed_up: bool = Field(description="Whether it is kept in more than one place, as synced passkeys are")
    created_at: Time
    last_used_at: Time | None
    regressed_at: Time | None = Field(description="When its counter last went backwards: the sign of a copy")
