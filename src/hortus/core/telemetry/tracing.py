"""Tracing spans; no-ops unless a tracer was set."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Literal

Kind = Literal["server", "consumer", "client"]
Open = Callable[[str, Kind, Mapping[str, Any], Mapping[str, str]], AbstractContextManager[Any]]
_NOTHING: Final[AbstractContextManager[Any]] = nullcontext()
_open: Open | None = None


def trace_with(tracer: Open | None) -> None:
    """Open every span with `tracer(name, kind, attributes, carrier)` from now on; None stops that."""
    global _open  # noqa: PLW0603 - one process has one tracer
    _open = tracer


def is_on() -> bool:
    """Whether a tracer is set."""
    return _open is not None


def span(
    name: str, kind: Kind, attributes: Mapping[str, Any], carrier: Mapping[str, str] | None = None
) -> AbstractContextManager[Any]:
    """A span around the block; `carrier` holds the trace headers of the caller. Yields the span, or None."""
    return _NOTHING if _open is None else _open(name, kind, attributes, carrier or {})
