"""Signed, short-lived links: whoever has one may fetch that file until it runs out."""

import base64
import hmac
import time

from hortus.core.settings import Settings
from hortus.files.errors import FileNotFound, LinkExpired

ROUNDED_TO = 300
"""Expiries are rounded up to five minutes, so that a page asked for twice gives links a cache knows."""


def link(settings: Settings, file_id: str, *, download: bool = False) -> str:
    """A path with query that serves the file for `FILE_LINK_SECONDS`, and at most five minutes longer."""
    wanted = int(time.time()) + settings.file_link_seconds
    expires = str(-(-wanted // ROUNDED_TO) * ROUNDED_TO)
    kind = "&download=1" if download else ""
    return f"/api/files/{file_id}?exp={expires}{kind}&sig={_sign(settings, file_id, expires, download)}"


def check_link(settings: Settings, file_id: str, expires: str, signature: str, *, download: bool) -> None:
    """Raises FileNotFound for a link we did not make, LinkExpired for one that ran out."""
    wanted = _sign(settings, file_id, expires, download)
    if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
        raise FileNotFound
    if int(expires) <= time.time():  # signed by us, so it is a number
        raise LinkExpired


def _sign(settings: Settings, file_id: str, expires: str, download: bool) -> str:
    key = hmac.digest(settings.key, b"hortus file links", "sha256")
    digest = hmac.digest(key, f"{file_id}|{expires}|{int(download)}".encode("utf-8", "replace"), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
