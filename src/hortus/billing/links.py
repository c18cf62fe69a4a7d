"""Links to the shop's own pages."""

from hortus.core.settings import Settings


def shop_url(settings: Settings, path: str) -> str:
    """A path on the origin that customers see: the front end, or this server."""
    return (settings.frontend_base_url or settings.origin).rstrip("/") + path
