"""Registry of gateways: adapters of this package and of the entry points `hortus.payments`."""

from collections.abc import Mapping

from hortus.core import plugins
from hortus.core.configuration import SettingsGroup
from hortus.payments.base import Gateway, GatewayContext

PACKAGE = "hortus.payments"
"""Holds the adapters; also the group of entry points under which another package names its adapter class."""
SANDBOX = "sandbox"


class Gateways:
    """The adapters that could be built, by id, and the errors of the others."""

    def __init__(self, *gateways: Gateway, broken: Mapping[str, str] | None = None) -> None:
        self._gateways = {gateway.id: gateway for gateway in gateways}
        self.broken: dict[str, str] = dict(broken or {})
        """One line of error by module or entry point."""

    def get(self, id: str) -> Gateway | None:
        """The gateway with that id; None if it is unknown or not ready."""
        found = self._gateways.get(id)
        return found if found is not None and found.missing() is None else None

    def all(self) -> tuple[Gateway, ...]:
        """Every gateway, ready or not, ordered by id; the sandbox comes last."""
        return tuple(sorted(self._gateways.values(), key=lambda gateway: (gateway.id == SANDBOX, gateway.id)))

    def ready(self) -> tuple[Gateway, ...]:
        """The gateways that are configured."""
        return tuple(gateway for gateway in self.all() if gateway.missing() is None)


def settings_groups() -> list[type[SettingsGroup]]:
    """The settings of every adapter."""
    return plugins.settings_groups(PACKAGE)


def discover(context: GatewayContext) -> Gateways:
    """Build every adapter. Never fails: adapters that cannot be imported or built are listed as broken."""
    found, broken = plugins.discover(PACKAGE, Gateway, context)
    return Gateways(*found.values(), broken=broken)
