"""Signed links to archives. A link is valid until it expires or the session that received it ends."""

import time

from hortus.core.security.signing import is_signed, sign
from hortus.core.settings import Settings
from hortus.privacy.errors import ExportLinkExpired, NoDataExport

_PURPOSE = "data export links"


def link(settings: Settings, export_id: str, session_id: str) -> str:
    """The signed path of an archive, valid for `FILE_LINK_SECONDS` while the session is valid."""
    expires = str(int(time.time()) + settings.file_link_seconds)
    signature = sign(settings, _PURPOSE, export_id, expires, session_id)
    return f"/api/user/data-export/{export_id}/archive?exp={expires}&session={session_id}&sig={signature}"


def check_link(settings: Settings, export_id: str, expires: str, session_id: str, signature: str) -> None:
    """Raise NoDataExport for a bad signature, and ExportLinkExpired."""
    if not is_signed(settings, _PURPOSE, signature, export_id, expires, session_id):
        raise NoDataExport
    if int(expires) <= time.time():  # the signature is valid, so it is a number
        raise ExportLinkExpired
