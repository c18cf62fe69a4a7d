"""Which vendors this installation has: modules in this folder, and entry points of other packages."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from hortus import providers
from hortus.providers.base import Context, Provider

ENTRY_POINTS = "hortus.providers"
"""The group under which another package names its adapter class."""


class Registry:
    """The adapters that could be built, by id; and why the others could not."""

    def __init__(self, *adapters: Provider, broken: Mapping[str, str] | None = None) -> None:
        self._providers = {adapter.id: adapter for adapter in adapters}
        self.broken: dict[str, str] = dict(broken or {})
        """Where an adapter should have come from, and one line on what is wrong with it."""

    def get(self, id: str) -> Provider | None:
        """The adapter of that id; None when there is none."""
        return self._providers.get(id)

    def all(self) -> tuple[Provider, ...]:
        """Every adapter, configured or not, in the order of their ids."""
        return tuple(provider for _, provider in sorted(self._providers.items()))


def discover(context: Context) -> Registry:
    """Build every adapter there is. Never fails: what cannot be imported or built is kept as broken."""
    found: dict[str, Provider] = {}
    broken: dict[str, str] = {}
    for name, load in (*_in_folder(), *_from_packages()):
        try:
            adapter = _adapter_in(load())
            if adapter is None:
                continue
            provider = adapter(context)
            if not isinstance(provider, Provider):
                raise TypeError("its Adapter does not fit the protocol Provider")
            if provider.id in found:
                raise ValueError(f"the id {provider.id!r} is taken")
        except Exception as error:
            broken[name] = _one_line(error)
        else:
            found[provider.id] = provider
    return Registry(*found.values(), broken=broken)


def _in_folder() -> Iterator[tuple[str, Callable[[], Any]]]:
    for module in pkgutil.iter_modules(providers.__path__):
        yield module.name, partial(importlib.import_module, f"{providers.__name__}.{module.name}")


def _from_packages() -> Iterator[tuple[str, Callable[[], Any]]]:
    for point in entry_points(group=ENTRY_POINTS):
        yield f"{point.name} ({point.value})", point.load


def _adapter_in(loaded: Any) -> Any:
    """The adapter class itself, or the one a module holds; None for a module without."""
    return getattr(loaded, "Adapter", None) if inspect.ismodule(loaded) else loaded


def _one_line(error: Exception) -> str:
    if isinstance(error, ValidationError):  # its own text repeats the values, and those may be secrets
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
    else:
        said = f"{type(error).__name__}: {error}"
    return " ".join(said.split())[:300]
