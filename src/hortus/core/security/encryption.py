"""Secrets that must be read again are sealed at rest: AES-256-GCM under a key of the installation."""

import base64
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class BrokenSeal(Exception):
    """Not sealed by this installation for this purpose, or changed since."""


class Seal:
    """Seals and opens texts for one purpose; what was sealed for one cannot be opened as another."""

    def __init__(self, key: bytes, purpose: str) -> None:
        """`key` is the installation's secret (`settings.key`)."""
        self._cipher = AESGCM(hmac.digest(key, f"hortus sealed {purpose}".encode(), "sha256"))
        self._purpose = purpose.encode()

    def close(self, text: str) -> str:
        """The text, unreadable and unchangeable, as base64."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._cipher.encrypt(nonce, text.encode(), self._purpose)
        return base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str) -> str:
        """The text again; raises BrokenSeal."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], self._purpose).decode()
        except (InvalidTag, ValueError) as error:
            raise BrokenSeal("the seal is broken; was SECRET_KEY changed?") from error
