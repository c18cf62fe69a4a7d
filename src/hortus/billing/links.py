"""Links to the shop's own pages."""

from hortus.core.settings import Settings


def shop_url(settings: Settings, path: str) -> str:
    """The URL of a path on the shop's origin: the front end if configured, else this server."""
    return (settings.frontend_base_url or settings.origin).rstrip("/") + path
