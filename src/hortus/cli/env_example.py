"""`.env.example`: every setting with its default and one line on what it does, generated from the settings classes."""

import json
import textwrap
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from hortus import auth
from hortus.core import rate_limits
from hortus.core.configuration import SettingsGroup, variables_of
from hortus.core.settings import RATE_LIMIT, Settings
from hortus.main import routes
from hortus.ops.configuration import groups

WIDTH = 118
HEAD = """\
Every setting of Hortus with its default. Copy this file to `.env`, and take the `#` from what you change; variables \
of the environment come before those of the file. `hortus doctor` says what is wrong, missing, or read by nothing.
Made by `make reference`: change the settings classes, not this file."""
ISSUER = "OIDC_GOOGLE_"


def text() -> str:
    """The whole file. Every line is a comment, so that an unedited copy changes nothing."""
    blocks = [_comment(HEAD)]
    seen: set[str] = set()
    for group in groups():
        for heading, names in _sections(group):
            lines = [line for name in names for line in _setting(group, name, seen)]
            if lines:
                blocks.append("\n".join([f"## {heading}", *lines]))
            if group is Settings and heading == "Limits":
                blocks.append("\n".join(_rate_limits()))
    blocks.append("\n".join(_issuer(seen)))
    return "\n\n".join(blocks) + "\n"


def _sections(group: type[SettingsGroup]) -> Iterator[tuple[str, list[str]]]:
    if group is not Settings:
        yield group.heading, list(group.model_fields)
        return
    heading, names = "", list[str]()
    for name in group.model_fields:
        if name in Settings.sections:
            if names:
                yield heading, names
            heading, names = Settings.sections[name], []
        if name != "rate_limits":  # a variable of its own for each
            names.append(name)
    yield heading, names


def _setting(group: type[SettingsGroup], name: str, seen: set[str], prefix: str | None = None) -> Iterator[str]:
    variable, *others = variables_of(group, name, prefix)
    if variable in seen:
        return
    seen.add(variable)
    field = group.model_fields[name]
    description = " ".join((field.description or "").split("\n\n")[0].split())
    others = [other for other in others if other != name.upper()]
    yield _comment(description + (f" (or {', '.join(others)})" if others else ""))
    yield f"#{variable}={_default(field)}"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    return "" if value is None or value is PydanticUndefined else _written(value)


def _written(value: Any) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ",".join(_written(each) for each in value)
        case dict():
            return json.dumps(value, default=_plain)
    return str(value)


def _plain(value: Decimal) -> str:
    return str(value)


def _rate_limits() -> Iterator[str]:
    assert routes.ALL  # noqa: S101 - every module that declares a limit is imported
    yield _comment("One variable for each limit, as in RATE_LIMIT_REGISTER=5/minute; the names:")
    yield _comment(", ".join(f"{RATE_LIMIT}{name}".upper() for name in sorted(rate_limits.declared_names())))


def _issuer(seen: set[str]) -> Iterator[str]:
    group = auth.OidcProviderSettings
    yield f"## {group.heading}"
    yield _comment(
        "For each issuer, under a name of your choice in place of GOOGLE, whose address is known. "
        "GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are read too."
    )
    for name in group.model_fields:
        yield from _setting(group, name, seen, ISSUER)


def _comment(text: str) -> str:
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, WIDTH)]
    return "\n".join(f"# {line}" for line in lines)
