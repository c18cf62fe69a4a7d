"""Settings groups, the rule of each variable, and the configuration that a process reads once at start.

Every package and adapter declares its settings as a subclass of `SettingsGroup`. `hortus.ops.configuration` builds
all of them before anything else is opened; a value that breaks its rule becomes a `Finding` with one sentence.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, cast, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, StringConstraints, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

D = TypeVar("D")
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_SHOWN = 60
"""Characters of an invalid value that a sentence repeats."""


# Rules -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of a value, worded to follow "must be"; for types whose constraints do not express it."""

    text: str


@dataclass(frozen=True, slots=True)
class Hidden:
    """The value may contain a password, as in URLs of servers, and is never shown."""


def _without_control_characters(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if len(text) > 4096 or not re.fullmatch(_PRINTABLE, text):
        raise ValueError("control characters")
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname or not value.isprintable()):
        raise ValueError("not a web address")
    _ = parts.port  # raises ValueError for an invalid port
    return value


def _path(value: Path) -> Path:
    if len(str(value)) > 4096 or not str(value).isprintable():
        raise ValueError("not a path")
    return value


def _time_zone(value: str) -> str:
    if value:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("not a time zone") from error
    return value


def _parse_json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=300, pattern=_PRINTABLE),
    Rule("at most 300 characters without control characters"),
]
Secret = Annotated[
    SecretStr,
    AfterValidator(_without_control_characters),
    Rule("at most 4096 characters without control characters"),
]
WebAddress = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=2000),
    AfterValidator(_web_address),
    Rule("an http:// or https:// address, such as https://studio.example.com"),
]
TimeZone = Annotated[str, AfterValidator(_time_zone), Rule("a time zone, such as UTC or Asia/Kolkata")]
FilePath = Annotated[Path, AfterValidator(_path), Rule("a path without control characters")]
Days = Annotated[int, Field(ge=0, le=36_500)]
Json = (NoDecode, BeforeValidator(_parse_json))
"""Metadata of a field that is written as a JSON object: `Annotated[dict[str, int], *Json]`."""
CommaSeparated = (NoDecode, BeforeValidator(_split))
"""Metadata of a field that is a list with commas."""


def rule_of(group: "type[SettingsGroup]", name: str) -> str:
    """The rule of a field, worded to follow "must be"; empty if it has none."""
    field = group.model_fields[name]
    kinds = [kind for kind in _alternatives(field.annotation) if kind is not type(None)]
    if len(kinds) != 1:
        return ""
    kind, constraints = kinds[0], field.metadata
    if get_origin(kind) is Annotated:  # of an `Annotated[…] | None`
        kind, constraints = kind.__origin__, [*constraints, *kind.__metadata__]
    rule = next((each.text for each in constraints if isinstance(each, Rule)), "")
    return rule or _rule_of_type(kind, constraints)


def _rule_of_type(kind: Any, constraints: list[Any]) -> str:
    if kind is bool:
        return "true or false"
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(each) for each in get_args(kind))
    if kind in (int, float):
        return _rule_of_number("a whole number" if kind is int else "a number", constraints)
    if kind is str and (longest := _longest(constraints)):
        return f"at most {longest} characters"
    return ""


def _longest(constraints: Iterable[object]) -> int | None:
    bounds = (each.max_length for each in constraints if isinstance(each, MaxLen | StringConstraints))
    return next((bound for bound in bounds if bound), None)


def _rule_of_number(what: str, constraints: Iterable[object]) -> str:
    """The range of a number; empty unless both ends are given."""
    low = high = ""
    for each in constraints:
        match each:
            case Ge(ge=bound):
                low = f"from {bound}"
            case Gt(gt=bound):
                low = f"above {bound}"
            case Le(le=bound):
                high = f"to {bound}" if low.startswith("from") else f"and at most {bound}"
            case Lt(lt=bound):
                high = f"and below {bound}"
    return f"{what} {low} {high}" if low and high else ""


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _mentions_secret(annotation: Any) -> bool:
    """Whether a value of that type is or contains a secret, which must never be shown."""
    return annotation is SecretStr or any(_mentions_secret(each) for each in get_args(annotation))


# Groups ----------------------------------------------------------------------


class SettingsGroup(BaseSettings):
    """The settings of one package or adapter. An empty variable counts as unset.

    Each field has a rule (`rule_of`), a docstring that describes it, and a default; `tests/arch/test_settings.py`
    walks all of them.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )
    heading: ClassVar[str]
    """The title of the group in `.env.example`."""
    credentials: ClassVar[frozenset[str]] = frozenset()
    """Fields that come from an account at a vendor without being secret, such as the id of a key."""

    def placeholders(self) -> list[str]:
        """The variables whose value is a placeholder from an example instead of a real key."""
        found = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if (_mentions_secret(field.annotation) or name in self.credentials) and _holds_placeholder(value):
                found.append(variables_of(type(self), name)[0])
        return found

    def placeholder(self) -> str | None:
        """One line about the first placeholder; None if there is none."""
        return next((f"{name} is a placeholder; set the key of your own account" for name in self.placeholders()), None)


def variables_of(group: type[SettingsGroup], name: str, prefix: str | None = None) -> tuple[str, ...]:
    """The environment variables that a field is read from, the documented one first."""
    field = group.model_fields[name]
    alias = field.validation_alias
    if alias is None:
        return (f"{group.model_config.get('env_prefix', '') if prefix is None else prefix}{name}".upper(),)
    given = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return tuple(dict.fromkeys(each.upper() for each in given if isinstance(each, str)))


# Findings --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """The error of one variable, in one sentence."""

    variable: str
    sentence: str


class UnsafeSettings(Exception):
    """The settings would expose the installation; start-up stops with a sentence for the operator."""


class BadSettings(Exception):
    """Some variables break their rules; each finding is one sentence for the operator."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        # Two groups may read the same variable: it is listed once.
        self.findings = tuple({each.variable: each for each in findings}.values())
        super().__init__(" ".join(each.sentence for each in self.findings))


def problem(variable: str, rule: str, shown: str | None) -> Finding:
    """The sentence that names a variable, its rule and its value; None for a value that must not be shown."""
    ending = "; its value is a secret and not shown" if shown is None else f", not {shown}"
    return Finding(variable, f"{variable} must be {rule}{ending}.")


def _without_secrets(field: FieldInfo, value: object) -> str | None:
    """The part of an invalid value that may be shown: nothing of a secret, the scheme of a URL with a password."""
    if _mentions_secret(field.annotation):
        return None
    text = value if isinstance(value, str) else str(value)
    if any(isinstance(each, Hidden) for each in field.metadata):
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://", text)
        return f'"{scheme[0]}…"' if scheme else None
    return json.dumps(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…", ensure_ascii=False)


def findings_of(group: type[SettingsGroup], error: ValidationError, prefix: str | None = None) -> list[Finding]:
    """One finding for each field in `error`."""
    found: dict[str, Finding] = {}
    for line in error.errors(include_url=False):
        name = _field_of(group, str(line["loc"][0]))
        variable = _variable_at(group, name, line["loc"], prefix)
        if variable not in found:
            field = group.model_fields[name]
            if line["type"] == "missing":  # its input is all other values, with secrets
                found[variable] = Finding(variable, f"{variable} must be set, to {rule_of(group, name)}.")
            else:
                found[variable] = problem(variable, rule_of(group, name), _without_secrets(field, line["input"]))
    return list(found.values())


def _variable_at(group: type[SettingsGroup], name: str, loc: tuple[int | str, ...], prefix: str | None) -> str:
    if name == "rate_limits" and len(loc) > 1:
        return f"RATE_LIMIT_{loc[1]}".upper()
    return variables_of(group, name, prefix)[0]


def _field_of(group: type[SettingsGroup], found: str) -> str:
    """The field of a name in an error, which is an alias or a variable."""
    for name in group.model_fields:
        if found.upper() in (name.upper(), *variables_of(group, name)):
            return name
    raise LookupError(found)


# Placeholders ----------------------------------------------------------------

_PLACEHOLDER = re.compile(
    r"""
    ^\s*(<.*>|\[.*\]|\{.*\}|\$\{?\w+\}?)\s*$                                     # <key>, [key], {key}, ${KEY}
    | \.\.\. | …                                                                 # sk-...
    | (^|[^a-z0-9])(your|insert|enter|add|put|paste|replace)[-_ ]             # your_api_key, insert-key-here
    | (^|[^a-z0-9])(change|replace)[-_ ]?(me|this|it)([^a-z0-9]|$)               # changeme, change-this
    | (^|[^a-z])(placeholder|example|dummy|todo|tbd|fixme|redacted)([^a-z]|$)
    | [-_ ](goes[-_ ])?here$
    | x{4,} | \*{3,}                                                             # sk-xxxx, ****
    | ^(none|null|undefined|nil|xxx|n/a|-)$
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_placeholder(value: str) -> bool:
    """Whether a key or password is a placeholder of examples: `your_api_key_here`, `sk-...`, `<key>`, `changeme`."""
    return bool(_PLACEHOLDER.search(value))


def _holds_placeholder(value: object) -> bool:
    match value:
        case SecretStr():
            return is_placeholder(value.get_secret_value())
        case str():
            return is_placeholder(value)
        case Mapping():
            return any(_holds_placeholder(each) for each in value.values())
        case list() | tuple():
            return any(_holds_placeholder(each) for each in value)
    return False


# Configuration ---------------------------------------------------------------


class Configuration:
    """Every settings group of a process, read once at start; the environment is not read later."""

    def __init__(self, groups: Iterable[SettingsGroup], others: Iterable[object] = ()) -> None:
        """`others` are read from variables whose names the operator makes up, so that they are no group."""
        self._groups: dict[type, SettingsGroup] = {type(group): group for group in groups}
        self._others: dict[type, object] = {type(each): each for each in others}
        self._derived: dict[object, object] = {}

    def __iter__(self) -> Iterator[SettingsGroup]:
        return iter(self._groups.values())

    def get(self, kind: type[D]) -> D:
        """The settings of that class; LookupError when they were not read at start."""
        found = self._groups.get(kind) or self._others.get(kind)
        if not isinstance(found, kind):
            raise LookupError(f"the settings {kind.__module__}.{kind.__name__} were not read at start")
        return found

    def derived(self, build: Callable[["Configuration"], D]) -> D:
        """`build(self)`, made at the first call and kept: a key, or a choice, that follows from the settings alone."""
        try:
            return cast("D", self._derived[build])
        except KeyError:
            made = self._derived[build] = build(self)
            return made
