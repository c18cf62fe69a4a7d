"""TOTP secrets and recovery codes: generated, encrypted, hashed and compared.

`keys` are the installation's keys for this purpose: the first encrypts and hashes, the others are older keys.
"""

import contextlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

import pyotp

from hortus.core.security.encryption import DecryptionFailed, Encryptor
from hortus.core.text import normalise_code

STEP_SECONDS = 30
WINDOW = 1
"""How many steps a clock may be off, either way."""
CODES, LETTERS = 10, "abcdefghjkmnpqrstuvwxyz23456789"  # without what looks alike


def encrypt(keys: Sequence[bytes], user_id: str, secret: str) -> str:
    """The secret of an authenticator app, encrypted (AES-256-GCM) under a key that is this user's alone."""
    return _encryptor(keys, user_id).encrypt(secret)


def decrypt(keys: Sequence[bytes], user_id: str, sealed: str) -> str | None:
    """The secret; None if it was encrypted for another user or with another key, or was tampered with."""
    with contextlib.suppress(DecryptionFailed):
        return _encryptor(keys, user_id).decrypt(sealed)
    return None


def _encryptor(keys: Sequence[bytes], user_id: str) -> Encryptor:
    return Encryptor(keys, f"totp of {user_id}")


def step_of(secret: str, code: str, moment: datetime) -> int | None:
    """The newest time step within the window that matches the code."""
    app = pyotp.TOTP(secret, interval=STEP_SECONDS)
    now, found = int(moment.timestamp()) // STEP_SECONDS, None
    for step in range(now - WINDOW, now + WINDOW + 1):  # every one is compared, whichever fits
        if hmac.compare_digest(app.generate_otp(step).encode(), code.encode()):
            found = step
    return found


def otpauth_uri(secret: str, account: str, issuer: str) -> str:
    """The `otpauth://` address that authenticator apps read as a QR code."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=account, issuer_name=issuer)


def recovery_codes() -> list[str]:
    """Ten fresh codes of ten letters: about 49 random bits each."""
    made = ["".join(secrets.choice(LETTERS) for _ in range(10)) for _ in range(CODES)]
    return [f"{code[:5]}-{code[5:]}" for code in made]


def digests_of_code(keys: Sequence[bytes], user_id: str, code: str) -> list[str]:
    """The possible stored digests of a recovery code, one per key; independent of spacing and case."""
    plain = "".join(letter for letter in normalise_code(code).casefold() if letter.isalnum())
    return [hmac.digest(key, f"recovery code of {user_id}: {plain}".encode(), "sha256").hex() for key in keys]
