"""Signed, short-lived links: the bearer of one may fetch that file until it expires."""

import time

from hortus.core.security.signing import is_signed, sign
from hortus.core.settings import Settings
from hortus.files.errors import FileNotFound, LinkExpired

_PURPOSE = "file links"
ROUNDED_TO = 300
"""Expiries are rounded up to five minutes, so that a page loaded twice has the same links."""


def link(settings: Settings, file_id: str, *, download: bool = False, staff: bool = False) -> str:
    """A path with query that serves the file for `FILE_LINK_SECONDS`, and at most five minutes longer.

    It ends earlier when the owner's account is suspended or closed, unless it is made for `staff`.
    """
    wanted = int(time.time()) + settings.file_link_seconds
    expires = str(-(-wanted // ROUNDED_TO) * ROUNDED_TO)
    kind = _kind(download=download, staff=staff)
    return f"/api/files/{file_id}?exp={expires}{kind}&sig={sign(settings, _PURPOSE, file_id, expires, kind)}"


def check_link(
    settings: Settings, file_id: str, expires: str, signature: str, *, download: bool, staff: bool = False
) -> None:
    """Verify a link. Raises FileNotFound for a wrong signature, LinkExpired for one that has expired."""
    if not is_signed(settings, _PURPOSE, signature, file_id, expires, _kind(download=download, staff=staff)):
        raise FileNotFound
    if int(expires) <= time.time():  # the signature is valid, so this is a number
        raise LinkExpired


def _kind(*, download: bool, staff: bool) -> str:
    return ("&download=true" if download else "") + ("&staff=true" if staff else "")
