"""The format of API keys: `hortus_<40 random>_<6 check>`, in base 62.

The first fifteen characters are the public prefix, by which users and logs identify a key. The check is the CRC-32 of
the characters before it, so that typing errors and leaked keys are recognised without a query:
`hortus_[0-9A-Za-z]{40}_[0-9A-Za-z]{6}`. The 32 random characters after the prefix carry 190 bits.
"""

import hmac
import re
import secrets
import string
import zlib

from hortus.auth.api_keys.errors import BadKey
from hortus.core.settings import Settings

MARK = "hortus_"
"""A credential with this prefix is meant to be an API key; it may still be mistyped."""
PREFIX_LENGTH = 15
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH, CHECK_LENGTH = 40, 6
_FORM = re.compile(rf"({MARK}[0-9A-Za-z]{{{RANDOM_LENGTH}}})_([0-9A-Za-z]{{{CHECK_LENGTH}}})")


def mint() -> str:
    """A new random API key. The key itself is not stored."""
    body = MARK + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return f"{body}_{check_of(body)}"


def check_of(body: str) -> str:
    """The check characters of the preceding text."""
    rest, found = zlib.crc32(body.encode()), ""
    for _ in range(CHECK_LENGTH):
        rest, place = divmod(rest, len(ALPHABET))
        found = ALPHABET[place] + found
    return found


def prefix_of(secret: str) -> str:
    """The public name of a key."""
    return secret[:PREFIX_LENGTH]


def digests_of(settings: Settings, secret: str) -> tuple[str, ...]:
    """The possible stored digests of a key: HMACs under each key of the installation, the current one first.

    Raises BadKey for a mistyped one.
    """
    found = _FORM.fullmatch(secret)
    if found is None or not hmac.compare_digest(found[2], check_of(found[1])):
        raise BadKey("The API key is mistyped or cut short. Copy it whole, from `hortus_` to its last character.")
    return tuple(hmac.digest(key, secret.encode(), "sha256").hex() for key in settings.keys_for("API keys"))
