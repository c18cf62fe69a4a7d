"""The findings about an installation. `main` makes the examination; here it is only shown."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. It names settings, and never the value of a secret."""

    state: Literal["ok", "missing", "broken"]
    what: str
    line: str


class Examine(Protocol):
    """An examination of this installation."""

    def __call__(self, *, ask_vendors: bool = False) -> Awaitable[Sequence[Finding]]:
        """Every finding. Changes nothing, and calls no vendor unless `ask_vendors`."""


@dataclass(frozen=True, slots=True)
class Doctor:
    """The resource that holds the examination of this process."""

    examine: Examine
