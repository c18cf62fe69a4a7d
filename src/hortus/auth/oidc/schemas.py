"""Request and response bodies of the OIDC routes."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from hortus.core.schemas import Body, Time

ReturnTo = Annotated[str, StringConstraints(max_length=300, pattern=r"^/([!$-.0-\[\]-~][!$-\[\]-~]*)?$")]
"""A path of the front end: no double slash at the start, no fragment, no backslash, no character to escape."""
Challenge = Annotated[str, StringConstraints(max_length=43, pattern=r"^[A-Za-z0-9_-]{43}$")]
Verifier = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9._~-]{43,128}$")]
Code = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class OidcProviderOut(BaseModel):
    """A way to sign in: send the browser to `start_url`."""

    id: str
    title: str
    start_url: str


class LinkIn(Body):
    """Where to return once the external account is verified."""

    return_to: ReturnTo = "/"
    challenge: Challenge | None = None


class LinkStartOut(BaseModel):
    """Send the browser there."""

    authorize_url: str


class ExchangeIn(Body):
    """The code from the fragment of the address that the browser came back to."""

    code: Code
    verifier: Verifier | None = Field(None, description="The verifier of `challenge`, if one was sent at the start")


class ExternalAccountOut(BaseModel):
    """An account elsewhere with which you can sign in here."""

    id: str
    provider: str | None
    issuer: str
    email: str | None
    created_at: Time
    last_used_at: Time
