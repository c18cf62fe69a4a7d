"""Tracing spans; no-ops unless a tracer was set."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Literal

Kind = Literal["server", "consumer", "client"]
Open = Callable[[str, Kind, Mapping[str, Any], Mapping[str, str]], AbstractContextManager[Any]]
_NOTHING: Final[AbstractContextManager[Any]] = nullcontext()
tracer: Open | None = None
"""Opens every span; None while tracing is off."""


def trace_with(new: Open | None) -> None:
    """Open every span with `new(name, kind, attributes, carrier)` from now on; None stops that."""
    global tracer  # noqa: PLW0603 - one process has one tracer
    tracer = new


def span(
    name: str, kind: Kind, attributes: Mapping[str, Any], carrier: Mapping[str, str] | None = None
) -> AbstractContextManager[Any]:
    """A span around the block; `carrier` holds the trace headers of the caller. Yields the span, or None."""
    return _NOTHING if tracer is None else tracer(name, kind, attributes, carrier or {})
