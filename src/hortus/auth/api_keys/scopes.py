"""Scopes of API keys, one for each group of routes. A route declares its scope with `open_to_keys`."""

from typing import Final, Literal, get_args

EVERYTHING: Final = "*"
Scope = Literal[
    "*",
    "text",
    "image",
    "video",
    "chat",
    "generations",
    "files",
    "usage:read",
    "profile:read",
]
SCOPES: Final[frozenset[str]] = frozenset(get_args(Scope))
