"""Encryption at rest: AES-256-GCM under keys derived from SECRET_KEY and SECRET_KEY_PREVIOUS."""

import base64
import contextlib
import hmac
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class DecryptionFailed(Exception):
    """The ciphertext was made for another purpose, with a key that is not configured, or was changed."""


class Encryptor:
    """Encrypts and decrypts texts for one purpose. The purpose is authenticated, so that ciphertexts of one purpose
    cannot be used for another.
    """

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        """Encrypt with the first of `keys`, decrypt with any (`settings.keys_for`)."""
        context = f"hortus encryption {purpose}".encode()
        self._ciphers = [AESGCM(hmac.digest(key, context, "sha256")) for key in keys]
        self._purpose = purpose.encode()

    def encrypt(self, text: str) -> str:
        """The ciphertext with its nonce, as base64."""
        nonce = secrets.token_bytes(_NONCE)
        return base64.b64encode(nonce + self._ciphers[0].encrypt(nonce, text.encode(), self._purpose)).decode()

    def decrypt(self, encrypted: str) -> str:
        """The text. Raises DecryptionFailed."""
        with contextlib.suppress(ValueError):
            raw = base64.b64decode(encrypted, validate=True)
            for cipher in self._ciphers:
                with contextlib.suppress(InvalidTag):
                    return cipher.decrypt(raw[:_NONCE], raw[_NONCE:], self._purpose).decode()
        raise DecryptionFailed(
            "cannot decrypt: wrong SECRET_KEY or corrupted data. After a change of SECRET_KEY, name the old key in "
            "SECRET_KEY_PREVIOUS"
        )
