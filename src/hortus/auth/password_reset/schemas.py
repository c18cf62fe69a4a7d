"""Passwords chosen anew, on the wire."""

from typing import Self

from pydantic import AliasChoices, BaseModel, Field, model_validator

from hortus.auth.otp.schemas import CODE_NAMES, Code, Number, TargetIn
from hortus.auth.schemas import Email, NewPassword, Password, Secret
from hortus.core.schemas import Body


class RequestResetIn(TargetIn):
    """Where the link or code shall go."""


class ResetIn(Body):
    """The token of the link; or the code, with where it came to."""

    token: Secret | None = None
    email: Email | None = None
    mobile_number: Number | None = None
    code: Code | None = Field(None, validation_alias=CODE_NAMES)
    new_password: NewPassword = Field(validation_alias=AliasChoices("new_password", "password"))

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if (self.token is None) == (self.code is None):
            raise ValueError("send either token or code")
        if self.code is not None and (self.email is None) == (self.mobile_number is None):
            raise ValueError("send either email or mobile_number beside the code")
        return self


class ChangeIn(Body):
    """A new password, and the one of today."""

    current_password: Password | None = Field(
        None, validation_alias=AliasChoices("current_password", "old_password"), description="If there is one"
    )
    new_password: NewPassword
    revoke_api_keys: bool = Field(False, description="Also remove every API key")


class ChangedOut(BaseModel):
    """The password is another one."""

    detail: str
    sessions_ended: int
    keys_ended: int
