"""Signed, short-lived links: whoever has one may fetch that file until it runs out."""

import hashlib
import hmac
import time

from hortus.core.settings import Settings
from hortus.files.errors import FileNotFound, LinkExpired

ROUNDED_TO = 60
"""Expiries are whole minutes, so that a page asked for twice gives links a cache knows."""


def link(settings: Settings, file_id: str, *, download: bool = False) -> str:
    """A path with query that serves the file for `FILE_LINK_SECONDS`, at least."""
    expires = (int(time.time()) + settings.file_link_seconds) // ROUNDED_TO * ROUNDED_TO + ROUNDED_TO
    kind = "&download=1" if download else ""
    return f"/api/files/{file_id}?exp={expires}{kind}&sig={_sign(settings, file_id, expires, download)}"


def check_link(settings: Settings, file_id: str, expires: int, signature: str, *, download: bool) -> None:
    """Raises FileNotFound for a link we did not make, LinkExpired for one that ran out."""
    wanted = _sign(settings, file_id, expires, download)
    if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
        raise FileNotFound
    if expires < time.time():
        raise LinkExpired


def _sign(settings: Settings, file_id: str, expires: int, download: bool) -> str:
    key = hmac.digest(settings.key, b"hortus file links", "sha256")
    return hmac.new(key, f"{file_id}|{expires}|{int(download)}".encode(), hashlib.sha256).hexdigest()[:43]
