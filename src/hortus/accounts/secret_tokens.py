"""Random secrets of 256 bits, and the digests under which they are stored."""

import hashlib
import secrets


def new_secret() -> str:
    """A random secret of 256 bits, as text."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """The stored digest of a random secret; a fast hash is sufficient for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
