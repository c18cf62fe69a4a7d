"""Request and response bodies of sign-up, sign-in, sessions and the profile."""

import unicodedata
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from hortus.auth.passwords import LONGEST, SHORTEST
from hortus.core.email_address import normalise
from hortus.core.schemas import Body, Line, MustBeTrue, Time
from hortus.core.security.credentials import Credential

Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(normalise)]
NewPassword = Annotated[
    str,
    StringConstraints(max_length=LONGEST * 2, strip_whitespace=False),
    AfterValidator(partial(unicodedata.normalize, "NFC")),
    Field(min_length=SHORTEST, max_length=LONGEST),
]
"""A password to be set, in NFC; its length is counted so."""
Password = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST * 2, strip_whitespace=False)]
"""A password to be compared: as it was typed, which may be longer than it is in NFC."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=100), Line]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=200)]


Referral = Annotated[str, StringConstraints(min_length=1, max_length=40)]
"""The referral code of the new customer; an unknown code is ignored."""


class RegisterIn(Body):
    """A new account."""

    email: Email
    password: NewPassword
    name: Name | None = None
    accept_terms: MustBeTrue = Field(description="Must be true")
    marketing_consent: bool = False
    referral: Referral | None = None


class RefreshIn(Body):
    """Trade a refresh token for a fresh pair. A browser that has it in a cookie sends none."""

    refresh_token: Secret | None = None


class ReauthenticateIn(Body):
    """Credentials to reauthenticate."""

    password: Password


class ReauthenticatedOut(BaseModel):
    """When and how the session was last authenticated."""

    authenticated_at: Time
    method: str


class SetupIn(Body):
    """Become the first administrator with the token from the log."""

    token: Secret
    email: Email
    password: NewPassword
    name: Name | None = None


class ProfileIn(Body):
    """The fields to change; absent fields stay."""

    name: Name | None = None
    marketing_consent: bool | None = None


class UserOut(BaseModel):
    """A user as shown to themselves."""

    id: str
    email: str | None
    mobile_number: str | None
    name: str | None
    role: str
    plan: str


class ProfileOut(UserOut):
    """The profile with what is left of limits and credits."""

    model_config = ConfigDict(extra="allow")

    usage: dict[str, Any] | None = None


class TokensOut(BaseModel):
    """A signed-in session."""

    user: UserOut
    access_token: Credential = Field(description="Empty when it travels in a cookie")
    refresh_token: Credential = Field(description="Empty when it travels in a cookie")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the type of a token, not one
    expires_in: int
    password_required: bool = Field(
        False, description="True after a sign-up that keeps no password: choose one at POST /api/auth/change-password"
    )


class SecondFactorOut(BaseModel):
    """The first factor was verified and a second one is required: no tokens yet.

    Answer `challenge` at POST /api/auth/totp/verify with a `code` or a `recovery_code`; or, if `methods` contains
    `passkey`, sign in with a passkey at POST /api/auth/passkey/login, which counts as both factors.
    """

    second_factor_required: Literal[True] = True
    challenge: Credential
    methods: list[Literal["totp", "recovery_code", "passkey"]]
    expires_in: int = Field(description="Seconds for which the challenge is valid")


class SessionOut(BaseModel):
    """A signed-in device."""

    id: str
    device: str = Field(description="The user agent of the device")
    device_name: str = Field(description="The same in a few words, such as Firefox on Windows")
    address: str = Field(description="From where it last signed in or refreshed")
    created_at: Time
    last_used_at: Time
    current: bool
