"""Which gateways this installation has: modules in this folder, and entry points of other packages."""

from collections.abc import Mapping

from hortus.core import plugins
from hortus.core.configuration import SettingsGroup
from hortus.payments.base import Gateway, GatewayContext

PACKAGE = "hortus.payments"
"""Holds the adapters; also the group of entry points under which another package names its adapter class."""
SANDBOX = "sandbox"


class Gateways:
    """The adapters that could be built, by id; and why the others could not."""

    def __init__(self, *gateways: Gateway, broken: Mapping[str, str] | None = None) -> None:
        self._gateways = {gateway.id: gateway for gateway in gateways}
        self.broken: dict[str, str] = dict(broken or {})
        """Where an adapter should have come from, and one line on what is wrong with it."""

    def get(self, id: str) -> Gateway | None:
        """The gateway of that id, when it is ready; None otherwise."""
        found = self._gateways.get(id)
        return found if found is not None and found.missing() is None else None

    def all(self) -> tuple[Gateway, ...]:
        """Every gateway, ready or not, in the order of their ids; the one to play with last."""
        return tuple(sorted(self._gateways.values(), key=lambda gateway: (gateway.id == SANDBOX, gateway.id)))

    def ready(self) -> tuple[Gateway, ...]:
        """Those that can be paid at."""
        return tuple(gateway for gateway in self.all() if gateway.missing() is None)


def settings_groups() -> list[type[SettingsGroup]]:
    """The settings of every adapter."""
    return plugins.settings_groups(PACKAGE)


def discover(context: GatewayContext) -> Gateways:
    """Build every adapter there is. Never fails: what cannot be imported or built is kept as broken."""
    found, broken = plugins.discover(PACKAGE, Gateway, context)
    return Gateways(*found.values(), broken=broken)
