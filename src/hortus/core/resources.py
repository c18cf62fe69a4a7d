"""What a process opens once, found by its type.

Handlers and tasks ask for `resources.get(Storage)` instead of importing whoever made it.
"""

from typing import TypeVar, cast

T = TypeVar("T")


class Resources:
    """A typed shelf, filled once at start-up by `main`."""

    def __init__(self, *resources: object) -> None:
        self._by_type: dict[type, object] = {}
        for resource in resources:
            self.add(resource)

    def add(self, resource: object, kind: type | None = None) -> None:
        """Put a resource on the shelf under its own type, or under `kind`."""
        self._by_type[kind or type(resource)] = resource

    def get(self, kind: type[T]) -> T:
        """The one resource of that type; LookupError tells a start-up mistake."""
        try:
            return cast("T", self._by_type[kind])
        except KeyError:
            raise LookupError(f"no {kind.__name__} was opened at start-up") from None
