"""HMAC signatures over values that this installation issues, such as links."""

import base64
import hmac

from hortus.core.settings import Settings


def sign(settings: Settings, purpose: str, *parts: str) -> str:
    """A signature over `parts`, valid for this purpose only: 43 characters that need no escaping in a URL."""
    return _sign(settings.keys_for(purpose)[0], parts)


def is_signed(settings: Settings, purpose: str, signature: str, *parts: str) -> bool:
    """Whether `signature` is valid over `parts`, under SECRET_KEY or one of SECRET_KEY_PREVIOUS."""
    given = signature.encode("utf-8", "replace")
    return any(hmac.compare_digest(_sign(key, parts).encode(), given) for key in settings.keys_for(purpose))


def _sign(key: bytes, parts: tuple[str, ...]) -> str:
    digest = hmac.digest(key, "|".join(parts).encode("utf-8", "replace"), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
