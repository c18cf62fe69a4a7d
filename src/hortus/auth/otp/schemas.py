"""Request and response bodies of the OTP and identifier routes."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, Field, StringConstraints, model_validator

from hortus.accounts import Target, mobile
from hortus.auth.otp.attempts import RESEND_PAUSE
from hortus.auth.otp.hasher import OtpHasher
from hortus.auth.otp.service import OTP_LIFETIME, Purpose
from hortus.auth.schemas import Email, Name, NewPassword, Password, Referral, Secret
from hortus.core.schemas import Body, MustBeTrue, Time
from hortus.core.security.credentials import Credential
from hortus.core.text import normalise_code

Number = Annotated[str, StringConstraints(min_length=4, max_length=40)]

_PURPOSES: dict[str, Purpose] = {
    **dict.fromkeys(("login", "sign_in", "signin", "signup", "sign_up", "register", "registration"), "sign_in"),
    **dict.fromkeys(("verify", "verification", "verify_email", "email_verification"), "verify"),
    **dict.fromkeys(("verify_mobile", "mobile_verification", "verify_phone"), "sign_in"),
    **dict.fromkeys(("reset_password", "password_reset", "reset", "forgot_password"), "reset_password"),
}
_ROUTES: dict[Purpose, str] = {"verify": "/api/auth/verify-email", "reset_password": "/api/auth/reset-password"}
"""The purpose of a code that does not sign in."""


def _known_purpose(value: Any) -> Any:
    known = _PURPOSES.get(value.strip().lower().replace("-", "_")) if isinstance(value, str) else None
    if known is None:
        raise ValueError("must be login, signup, verify or reset_password")
    return known


Why = Annotated[Literal["sign_in", "verify", "reset_password"], BeforeValidator(_known_purpose)]


def _digits(value: str) -> str:
    bare = normalise_code(value)
    if not (bare.isascii() and bare.isdigit() and 6 <= len(bare) <= 10):
        raise ValueError("must be the digits of the code")
    return bare


Code = Annotated[str, StringConstraints(min_length=6, max_length=60), AfterValidator(_digits)]
CODE_NAMES = AliasChoices("code", "otp", "otp_code")


class TargetIn(Body):
    """An e-mail address or a mobile number."""

    email: Email | None = None
    mobile_number: Number | None = Field(None, description="With country code, or a number of the default country")

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.email is None) == (self.mobile_number is None):
            raise ValueError("send either email or mobile_number")
        return self

    def target(self, hasher: OtpHasher) -> Target:
        """The one form we keep; raises Invalid."""
        if self.mobile_number is not None:
            return mobile(self.mobile_number, hasher.rules.default_phone_region)
        return Target("email", self.email or "")


class LoginIn(TargetIn):
    """Sign in with a password."""

    password: Password


class SignupIn(Body):
    """A new account with a mobile number."""

    mobile_number: Number
    name: Name | None = None
    password: NewPassword | None = None
    accept_terms: MustBeTrue = Field(description="Must be true")
    marketing_consent: bool = False
    referral: Referral | None = None


class SendIn(TargetIn):
    """Request a code. `login` (the default) also signs up an unknown target."""

    purpose: Why = Field("sign_in", description="login, signup, verify or reset_password")

    def means(self) -> Purpose:
        """The purpose of the code. A mobile number is verified by signing in with it."""
        return "sign_in" if self.purpose == "verify" and self.mobile_number else self.purpose


class VerifyIn(SendIn):
    """Sign in with a code that was sent for that. A code for another purpose is used at the route of its purpose."""

    purpose: Why = Field("sign_in", description="login or signup; verify for a mobile number")
    code: Code = Field(validation_alias=CODE_NAMES, description="Also read as `otp` or `otp_code`")
    name: Name | None = Field(None, description="Of a new account")
    accept_terms: bool = Field(False, description="By a new account")

    @model_validator(mode="after")
    def _signs_in(self) -> Self:
        route = _ROUTES.get(self.means())
        if route is not None:
            raise ValueError(f"a code sent to {self.purpose.replace('_', ' ')} is used at POST {route}")
        return self


class VerifyEmailIn(Body):
    """The token of the link, or the code: with `email`, or signed in as its owner."""

    token: Secret | None = None
    email: Email | None = None
    code: Code | None = Field(None, validation_alias=CODE_NAMES, description="Also read as `otp` or `otp_code`")

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if (self.token is None) == (self.code is None):
            raise ValueError("send either token or code")
        return self


class OtpSentOut(BaseModel):
    """The same answer for every target, so that it does not reveal accounts."""

    detail: str = "If a message can reach you there, it is on its way."
    expires_in: int = Field(int(OTP_LIFETIME.total_seconds()), description="Seconds for which the code is valid")
    resend_after: int = Field(
        int(RESEND_PAUSE.total_seconds()), description="Seconds until another code can be requested"
    )


class CheckYourMailOut(OtpSentOut):
    """The same answer for every address: only the e-mail reveals whether an account exists."""

    code: Literal["check_your_mail"] = "check_your_mail"
    detail: str = "A mail is on its way. Send its code to POST /api/auth/verify-email to complete the sign-up."


class VerifiedOut(BaseModel):
    """A verified address."""

    email: str
    verified: Literal[True] = True


class PasswordRequiredOut(VerifiedOut):
    """An address that was verified for the first time, on an account that may have been created by another person.

    The old password is void, and sessions, API keys, passkeys, second factors and connected accounts are removed.
    Choose a new password at POST /api/auth/reset-password with the token.
    """

    password_required: Literal[True] = True
    password_reset_token: Credential


class AddIdentifierIn(TargetIn):
    """An address or number to add, or to verify."""


class VerifyIdentifierIn(TargetIn):
    """The code that came there."""

    code: Code = Field(validation_alias=CODE_NAMES)


class IdentifierOut(BaseModel):
    """How a user is reached."""

    id: str
    kind: Literal["email", "mobile"]
    value: str
    verified: bool
    created_at: Time
