"""The text of a code, and what is stored of it.

Codes that we make carry 80 random bits in the letters and digits that nobody confuses, such as `7K3M-Q8TV-2WXB-9DRA`.
Operators may choose their own; those can be guessed, so guesses are counted (`guesses`).
"""

import hmac
import secrets

from hortus.core.settings import Settings
from hortus.core.text import normalise_code

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 16


def mint() -> str:
    """A new random code. It is stored nowhere and cannot be made again."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(letters[place : place + 4] for place in range(0, LENGTH, 4))


def plain(code: str) -> str:
    """A code as it is compared: however it was typed."""
    return "".join(character for character in normalise_code(code).upper() if character.isalnum())


def hint_of(code: str) -> str:
    """By which an operator tells codes apart; short ones show less."""
    return plain(code)[-4:] if len(plain(code)) >= LENGTH else plain(code)[-1:]


def digests_of(settings: Settings, code: str) -> tuple[str, ...]:
    """What is stored of a code: an HMAC keyed by the installation's secret; the first is today's, any may be stored."""
    text = plain(code).encode()
    return tuple(hmac.digest(key, text, "sha256").hex() for key in settings.keys_for("coupons"))
