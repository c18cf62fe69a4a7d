"""Signed, short-lived links to archives: whoever has one may download that archive until it runs out."""

import base64
import hmac
import time

from hortus.core.settings import Settings
from hortus.privacy.errors import ExportLinkExpired, NoDataExport

_PURPOSE = "data export links"


def link(settings: Settings, export_id: str) -> str:
    """A path with query that serves the archive for `FILE_LINK_SECONDS`."""
    expires = str(int(time.time()) + settings.file_link_seconds)
    signature = _sign(settings.keys_for(_PURPOSE)[0], export_id, expires)
    return f"/api/user/data-export/{export_id}/archive?exp={expires}&sig={signature}"


def check_link(settings: Settings, export_id: str, expires: str, signature: str) -> None:
    """Raises NoDataExport for a link we did not make, ExportLinkExpired for one that ran out."""
    given = signature.encode("utf-8", "replace")
    keys = settings.keys_for(_PURPOSE)
    if not any(hmac.compare_digest(_sign(key, export_id, expires).encode(), given) for key in keys):
        raise NoDataExport
    if int(expires) <= time.time():  # signed by us, so it is a number
        raise ExportLinkExpired


def _sign(key: bytes, export_id: str, expires: str) -> str:
    digest = hmac.digest(key, f"{export_id}|{expires}".encode("utf-8", "replace"), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
