"""The page that the `type` of every problem links to."""

from collections.abc import Iterator
from html import escape

from hortus.core.errors import Problem


def every_problem(kind: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Every kind of problem that this product declares."""
    yield kind
    for child in kind.__subclasses__():
        yield from every_problem(child)


def render() -> str:
    """One entry for each code, with its status and remedy."""
    kinds = sorted({kind.code: kind for kind in every_problem()}.items())
    entries = "".join(
        f"<dt id='{escape(code)}'><b>{escape(code)}</b> ({kind.status}) {escape(kind.title)}</dt>"
        f"<dd>{escape(kind.detail)}</dd>"
        for code, kind in kinds
    )
    return f"<!doctype html><html lang='en'><title>Errors</title><h1>Errors</h1><dl>{entries}</dl></html>"
