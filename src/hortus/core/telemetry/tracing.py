"""Where a stretch of work begins and ends, for traces; nothing at all happens unless `main` set a tracer."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Literal

Kind = Literal["server", "consumer", "client"]
Open = Callable[[str, Kind, Mapping[str, Any], Mapping[str, str]], AbstractContextManager[Any]]
_NOTHING: Final[AbstractContextManager[Any]] = nullcontext()
_open: Open | None = None


def trace_with(tracer: Open | None) -> None:
    """Hand every span to `tracer(name, kind, attributes, carrier)` from now on; None ends that."""
    global _open  # noqa: PLW0603 - one process has one tracer
    _open = tracer


def is_on() -> bool:
    """Whether anybody wants spans."""
    return _open is not None


def span(
    name: str, kind: Kind, attributes: Mapping[str, Any], carrier: Mapping[str, str] | None = None
) -> AbstractContextManager[Any]:
    """A span around the block; `carrier` holds the headers of whoever caused it. Gives the span, or None."""
    return _NOTHING if _open is None else _open(name, kind, attributes, carrier or {})
