"""Which issuers may sign users in: `OIDC_<NAME>_…` for each, such as OIDC_GOOGLE_CLIENT_ID.

A provider exists as soon as its CLIENT_ID is set; its name in the paths is `<NAME>` in lower case, with hyphens
for underscores. GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET stand for those of OIDC_GOOGLE, whose issuer is known.
"""

import os
import re
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hortus.core.settings import LOOPBACK, UnsafeSettings

WELL_KNOWN = "/.well-known/openid-configuration"
KNOWN = {"GOOGLE": {"issuer": "https://accounts.google.com", "title": "Google"}}
_NAMED = re.compile(r"OIDC_([A-Z0-9]+(?:_[A-Z0-9]+){0,3})_CLIENT_ID")


def is_safe_url(url: str) -> bool:
    """Whether we may call it: https, or http to this machine itself."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


class ProviderSettings(BaseSettings):
    """One issuer and our standing there."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    issuer: str = Field(max_length=300)
    """Its issuer identifier, or the URL of its discovery document."""
    client_id: str = Field(min_length=1, max_length=300)
    client_secret: SecretStr = SecretStr("")
    title: str = Field("", max_length=60)
    scopes: str = "openid email profile"
    signup: bool = True
    """Whether somebody whom nobody here knows gets an account."""
    link_by_email: bool = True
    """Whether an e-mail address that is verified on both sides connects the two accounts."""
    role_claim: str = ""
    """The claim that names roles or groups; a dotted path reaches into objects."""
    roles: dict[str, Literal["user", "support", "admin"]] = Field(default_factory=dict)
    """Which value of that claim gives which role here."""
    timeout: float = Field(10.0, gt=0, le=30)

    @field_validator("issuer")
    @classmethod
    def _callable(cls, value: str) -> str:
        value = value.removesuffix(WELL_KNOWN)
        if not is_safe_url(value) or "?" in value:
            raise ValueError("must be an https:// address")
        return value

    @field_validator("scopes")
    @classmethod
    def _with_openid(cls, value: str) -> str:
        wanted = value.replace(",", " ").split()
        return " ".join(wanted if "openid" in wanted else ["openid", *wanted])


def read_providers() -> dict[str, ProviderSettings]:
    """Every configured provider by its name. Raises UnsafeSettings with the variable that must be corrected."""
    found = {name: value for name, value in {**dotenv_values(".env"), **os.environ}.items() if value}
    names = {match[1] for match in map(_NAMED.fullmatch, found) if match}
    if "GOOGLE_CLIENT_ID" in found:
        names.add("GOOGLE")
    return {name.lower().replace("_", "-"): _read(name, found) for name in sorted(names)}


def _read(name: str, found: dict[str, str]) -> ProviderSettings:
    prefix = f"OIDC_{name}_"
    given: dict[str, str] = {
        field: value
        for field, value in KNOWN.get(name, {}).items()
        if f"{prefix}{field.upper()}" not in found
    }  # fmt: skip
    if name == "GOOGLE":
        for field in ("client_id", "client_secret"):
            if f"GOOGLE_{field.upper()}" in found and f"{prefix}{field.upper()}" not in found:
                given[field] = found[f"GOOGLE_{field.upper()}"]
    if not given.get("title") and f"{prefix}TITLE" not in found:
        given["title"] = name.replace("_", " ").title()
    try:
        return ProviderSettings(_env_prefix=prefix, **given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise UnsafeSettings(f"{prefix}{str(first['loc'][0]).upper()}: {first['msg']}") from None
