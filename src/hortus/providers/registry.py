"""Which vendors this installation has: modules in this folder, and entry points of other packages."""

from collections.abc import Mapping

from hortus.core import plugins
from hortus.core.configuration import SettingsGroup
from hortus.providers.base import Context, Provider

PACKAGE = "hortus.providers"
"""Holds the adapters; also the group of entry points under which another package names its adapter class."""


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


def settings_groups() -> list[type[SettingsGroup]]:
    """The settings of every adapter."""
    return plugins.settings_groups(PACKAGE)


def discover(context: Context) -> Registry:
    """Build every adapter there is. Never fails: what cannot be imported or built is kept as broken."""
    found, broken = plugins.discover(PACKAGE, Provider, context)
    return Registry(*found.values(), broken=broken)
