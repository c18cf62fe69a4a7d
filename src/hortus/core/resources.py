"""What a process opened at start-up, by type."""

from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")


class Resources(dict[type, Any]):
    """The collaborators of a process, which `main` opens once: `resources[Storage]`.

    A type that was not opened raises LookupError, which is a mistake of start-up.
    """

    def __init__(self, *resources: object) -> None:
        super().__init__({type(resource): resource for resource in resources})

    if TYPE_CHECKING:

        def __getitem__(self, kind: type[T]) -> T: ...

    def __missing__(self, kind: type) -> Any:
        raise LookupError(f"no {kind.__name__} was opened at start-up")

    def add(self, resource: object, kind: type | None = None) -> None:
        """Add a resource under its own type, or under `kind`."""
        self[kind or type(resource)] = resource
