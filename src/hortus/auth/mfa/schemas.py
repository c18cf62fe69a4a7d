"""Request and response bodies of the second factor routes."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from hortus.auth.mfa.service import SecondFactorAttempt
from hortus.auth.schemas import Secret
from hortus.core.schemas import Body, Time
from hortus.core.security.credentials import Credential
from hortus.core.text import normalise_code


def _six_digits(value: str) -> str:
    bare = normalise_code(value)
    if not (bare.isascii() and bare.isdigit() and len(bare) == 6):
        raise ValueError("must be the six digits of the code")
    return bare


Code = Annotated[str, StringConstraints(min_length=6, max_length=60), AfterValidator(_six_digits)]
Recovery = Annotated[str, StringConstraints(min_length=10, max_length=60)]


class TotpSetupOut(BaseModel):
    """The secret for an authenticator app; shown once."""

    secret: Credential
    otpauth_uri: Credential


class TotpConfirmIn(Body):
    """The first code of the app."""

    code: Code = Field(description="The six digits that the authenticator app shows")


class RecoveryCodesOut(BaseModel):
    """Recovery codes, each for one use; shown once."""

    recovery_codes: list[Credential]


class TotpStatusOut(BaseModel):
    """The second factor of the user."""

    active: bool
    confirmed_at: Time | None
    recovery_codes_left: int


class SecondFactorIn(Body):
    """A second factor: a code of the app, or a recovery code."""

    code: Code | None = None
    recovery_code: Recovery | None = None

    @model_validator(mode="after")
    def _one_of_the_two(self) -> "SecondFactorIn":
        if (self.code is None) == (self.recovery_code is None):
            raise ValueError("send either `code` or `recovery_code`")
        return self

    @property
    def attempt(self) -> SecondFactorAttempt:
        """For the rules."""
        return SecondFactorAttempt(self.code, self.recovery_code)

    @property
    def method(self) -> str:
        """Which of the two it is."""
        return "totp" if self.code is not None else "recovery_code"


class TotpVerifyIn(SecondFactorIn):
    """The second step of a sign-in."""

    challenge: Secret
