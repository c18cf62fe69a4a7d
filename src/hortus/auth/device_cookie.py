"""The signed cookie that identifies a device. It grants no access; it only marks a device as known."""

import base64
import hmac

from starlette.requests import HTTPConnection

from hortus.core import ids
from hortus.core.settings import Settings
from hortus.core.web import cookies

NAME = "device"
LASTS = 400 * 24 * 3600
"""The longest that browsers allow."""


class DeviceCookie:
    """Signs and reads it."""

    def __init__(self, settings: Settings) -> None:
        self._keys = settings.keys_for("devices")

    def read(self, connection: HTTPConnection) -> str | None:
        """The id of the device, if the cookie has a valid signature."""
        device_id, _, signature = (cookies.read(connection, NAME) or "").partition(".")
        valid = (hmac.compare_digest(_signature(key, device_id), signature.encode()) for key in self._keys)
        return device_id if ids.is_id(device_id) and any(list(valid)) else None

    def put(self, connection: HTTPConnection, device_id: str) -> None:
        """Send it, for as long as a browser keeps one."""
        signed = f"{device_id}.{_signature(self._keys[0], device_id).decode()}"
        cookies.put(connection, NAME, signed, LASTS)


def _signature(key: bytes, device_id: str) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(key, device_id.encode(), "sha256")).rstrip(b"=")
