"""Settings in force. Values that may be secrets are reported as set or not set, never shown."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import AliasChoices, SecretStr

from hortus.core.settings import Settings

SECRET_WORDS = ("secret", "password", "token", "key")


def shown(settings: Settings) -> tuple[dict[str, Any], dict[str, bool]]:
    """(values by upper-case name, secrets by name and whether they are set)."""
    values: dict[str, Any] = {}
    secrets: dict[str, bool] = {}
    for name, declared in type(settings).model_fields.items():
        value = getattr(settings, name)
        alias = declared.validation_alias
        shown_as = str(alias.choices[0]) if isinstance(alias, AliasChoices) else name.upper()
        if _is_secret(name, value):
            secrets[shown_as] = _is_set(value)
        else:
            values[shown_as] = _plain(value)
    return values, secrets


def _is_secret(name: str, value: Any) -> bool:
    several = value if isinstance(value, list | tuple) else [value]
    named = isinstance(value, str) and any(part in SECRET_WORDS for part in name.split("_"))
    return named or any(isinstance(each, SecretStr) for each in several) or name.startswith("secret_")


def _is_set(value: Any) -> bool:
    return bool(value.get_secret_value()) if isinstance(value, SecretStr) else bool(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _without_credentials(str(value)) if not isinstance(value, Path) else str(value)


def _without_credentials(text: str) -> str:
    """A URL without user, password and query; any other text unchanged, unless it contains `@`."""
    if "://" not in text:
        return text if "@" not in text else "(hidden)"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "(hidden)"
    location = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{location}{f':{port}' if port else ''}{parts.path}"
