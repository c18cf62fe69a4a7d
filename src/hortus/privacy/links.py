"""Signed, short-lived links to archives. A link works until it expires or the session that was given it ends."""

import time

from hortus.core.security.signing import is_signed, sign
from hortus.core.settings import Settings
from hortus.privacy.errors import ExportLinkExpired, NoDataExport

_PURPOSE = "data export links"


def link(settings: Settings, export_id: str, session_id: str) -> str:
    """A path with query that serves the archive for `FILE_LINK_SECONDS` while that session lives."""
    expires = str(int(time.time()) + settings.file_link_seconds)
    signature = sign(settings, _PURPOSE, export_id, expires, session_id)
    return f"/api/user/data-export/{export_id}/archive?exp={expires}&session={session_id}&sig={signature}"


def check_link(settings: Settings, export_id: str, expires: str, session_id: str, signature: str) -> None:
    """Raises NoDataExport for a link we did not make, ExportLinkExpired for one that ran out."""
    if not is_signed(settings, _PURPOSE, signature, export_id, expires, session_id):
        raise NoDataExport
    if int(expires) <= time.time():  # signed by us, so it is a number
        raise ExportLinkExpired
