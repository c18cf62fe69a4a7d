"""Generate, normalise and hash coupon codes.

Generated codes have 80 random bits in unambiguous letters and digits, such as `7K3M-Q8TV-2WXB-9DRA`. Operators may
choose their own, which can be guessed, so attempts are rate-limited (`attempts`).
"""

import hmac
import secrets

from hortus.core.settings import Settings
from hortus.core.text import normalise_code

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 16


def mint() -> str:
    """Generate a random code. Only its digest is stored, so it cannot be shown again."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(letters[place : place + 4] for place in range(0, LENGTH, 4))


def plain(code: str) -> str:
    """Normalise a code for comparison."""
    return "".join(character for character in normalise_code(code).upper() if character.isalnum())


def hint_of(code: str) -> str:
    """The last characters of a code, shown to operators; fewer for short codes."""
    return plain(code)[-4:] if len(plain(code)) >= LENGTH else plain(code)[-1:]


def digests_of(settings: Settings, code: str) -> tuple[str, ...]:
    """HMACs of a code under the installation's keys, the current key first; older rows may use any of them."""
    text = plain(code).encode()
    return tuple(hmac.digest(key, text, "sha256").hex() for key in settings.keys_for("coupons"))
