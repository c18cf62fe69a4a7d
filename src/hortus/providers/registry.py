"""Registry of provider adapters: the modules of this folder and the entry points of other packages."""

from collections.abc import Mapping

from hortus.core import plugins
from hortus.core.configuration import SettingsGroup
from hortus.providers.base import Context, Provider

PACKAGE = "hortus.providers"
"""Holds the adapters; also the group of entry points under which another package names its adapter class."""


class Registry:
    """The adapters that were built, by id, and the errors of the others."""

    def __init__(self, *adapters: Provider, broken: Mapping[str, str] | None = None) -> None:
        self._providers = {adapter.id: adapter for adapter in adapters}
        self.broken: dict[str, str] = dict(broken or {})
        """The module or entry point of each adapter that failed to load, with one line on the error."""

    def get(self, id: str) -> Provider | None:
        """The adapter of that id, or None."""
        return self._providers.get(id)

    def all(self) -> tuple[Provider, ...]:
        """Every adapter, configured or not, in the order of their ids."""
        return tuple(provider for _, provider in sorted(self._providers.items()))


def settings_groups() -> list[type[SettingsGroup]]:
    """The settings of every adapter."""
    return plugins.settings_groups(PACKAGE)


def discover(context: Context) -> Registry:
    """Build every adapter. Never fails: an adapter that cannot be imported or built is listed as broken."""
    found, broken = plugins.discover(PACKAGE, Provider, context)
    return Registry(*found.values(), broken=broken)
