"""The `Retry-After` header of HTTP responses."""

from hortus.core.http import Response


def retry_after_seconds(answer: Response) -> float | None:
    """The `Retry-After` of an answer in seconds, where it is a sensible number."""
    given = answer.headers.get("Retry-After", "")
    return float(given) if given.isascii() and given.isdigit() and len(given) < 6 else None
