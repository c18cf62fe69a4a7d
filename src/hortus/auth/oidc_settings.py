"""Which issuers may sign users in: `OIDC_<NAME>_…` for each, such as OIDC_GOOGLE_CLIENT_ID.

A provider exists as soon as its CLIENT_ID is set; its name in the paths is `<NAME>` in lower case, with hyphens
for underscores. GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET stand for those of OIDC_GOOGLE, whose issuer is known.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, ValidationError

from hortus.core.configuration import BadSettings, Finding, Json, Rule, Secret, SettingsGroup, Text, findings_of
from hortus.core.settings import is_safe_url

WELL_KNOWN = "/.well-known/openid-configuration"
KNOWN = {"GOOGLE": {"issuer": "https://accounts.google.com", "title": "Google"}}
_NAMED = re.compile(r"OIDC_([A-Z0-9]+(?:_[A-Z0-9]+){0,3})_CLIENT_ID")


def _issuer(value: str) -> str:
    value = value.removesuffix(WELL_KNOWN)
    if not is_safe_url(value) or "?" in value:
        raise ValueError("must be an https:// address")
    return value


def _with_openid(value: str) -> str:
    wanted = value.replace(",", " ").split()
    return " ".join(wanted if "openid" in wanted else ["openid", *wanted])


class OidcProviderSettings(SettingsGroup):
    """Settings of one OIDC provider."""

    heading: ClassVar[str] = "Sign-in with an OpenID Connect issuer"
    credentials: ClassVar[frozenset[str]] = frozenset({"client_id"})

    issuer: Annotated[str, Field(max_length=300), AfterValidator(_issuer), Rule("the https:// address of an issuer")]
    """Its issuer identifier, or the URL of its discovery document."""
    client_id: str = Field(min_length=1, max_length=300)
    """The client id that the issuer gave you."""
    client_secret: Secret = SecretStr("")
    """Its secret; without one Hortus is a public client."""
    title: str = Field("", max_length=60)
    """The name of the issuer on sign-in pages."""
    scopes: Annotated[Text, AfterValidator(_with_openid)] = "openid email profile"
    """The requested scopes."""
    signup: bool = True
    """Whether unknown users can sign up with this provider."""
    link_by_email: bool = True
    """Whether an e-mail address that is verified on both sides connects the two accounts."""
    role_claim: Text = ""
    """The claim that names roles or groups; a dotted path reaches into objects."""
    roles: Annotated[
        dict[str, Literal["user", "support", "admin"]],
        *Json,
        Rule('a JSON object of roles (user, support, admin) by the claim\'s values, such as {"staff": "support"}'),
    ] = Field(default_factory=dict)
    """The role of each value of that claim."""
    timeout: float = Field(10.0, gt=0, le=30)
    """Seconds for one call."""


@dataclass(frozen=True)
class ConfiguredIssuers:
    """The issuers that the settings name, by name."""

    named: Mapping[str, OidcProviderSettings]

    @cached_property
    def providers(self) -> dict[str, OidcProviderSettings]:
        """Those that users may sign in with: all but those whose client is an example's placeholder."""
        return {name: each for name, each in self.named.items() if not each.placeholders()}

    @cached_property
    def spellings(self) -> frozenset[str]:
        """Their identifiers, with and without a slash at the end."""
        identifiers = [each.issuer.rstrip("/") for each in self.providers.values()]
        return frozenset([*identifiers, *(f"{identifier}/" for identifier in identifiers)])


def read_oidc_providers() -> dict[str, OidcProviderSettings]:
    """The configured providers by name. Raises BadSettings with every invalid variable."""
    found = {name: value for name, value in {**dotenv_values(".env"), **os.environ}.items() if value}
    names = {match[1] for match in map(_NAMED.fullmatch, found) if match}
    if "GOOGLE_CLIENT_ID" in found:
        names.add("GOOGLE")
    read: dict[str, OidcProviderSettings] = {}
    wrong: list[Finding] = []
    for name in sorted(names):
        try:
            read[name.lower().replace("_", "-")] = _read(name, found)
        except BadSettings as error:
            wrong += error.findings
    if wrong:
        raise BadSettings(wrong)
    return read


def _read(name: str, found: dict[str, str]) -> OidcProviderSettings:
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
        return OidcProviderSettings(_env_prefix=prefix, **given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise BadSettings(findings_of(OidcProviderSettings, error, prefix)) from None
