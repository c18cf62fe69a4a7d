"""The container of objects that a process opens once, by type: `resources.get(Storage)`."""

from typing import TypeVar, cast

T = TypeVar("T")


class Resources:
    """Objects by type, added at start-up by `main`."""

    def __init__(self, *resources: object) -> None:
        self._by_type: dict[type, object] = {}
        for resource in resources:
            self.add(resource)

    def add(self, resource: object, kind: type | None = None) -> None:
        """Add a resource under its own type, or under `kind`."""
        self._by_type[kind or type(resource)] = resource

    def get(self, kind: type[T]) -> T:
        """The resource of that type; LookupError is a bug of the start-up code."""
        try:
            return cast("T", self._by_type[kind])
        except KeyError:
            raise LookupError(f"no {kind.__name__} was opened at start-up") from None
