"""Password hashes of other systems: verified at the next login, then replaced by Argon2id."""

import hashlib
import hmac
import re

from pwdlib.hashers import HasherProtocol
from pwdlib.hashers.base import ensure_str
from pwdlib.hashers.bcrypt import BcryptHasher

_BCRYPT_READS = 72
_DEAREST_BCRYPT = 16
_WERKZEUG = re.compile(
    r"(?:pbkdf2:(?P<digest>sha1|sha224|sha256|sha384|sha512)(?::(?P<rounds>\d{1,8}))?"
    r"|scrypt(?::(?P<n>\d{1,7}):(?P<r>\d{1,2}):(?P<p>\d))?)"
    r"\$(?P<salt>[^$]{1,128})\$(?P<hash>[0-9a-f]{40,128})"
)
_ROUNDS_UNSAID = 150_000
_DEAREST_ROUNDS = 5_000_000
_MOST_MEMORY = 256 * 1024 * 1024


class Bcrypt(BcryptHasher):
    """Verifies as the old systems did: only the first 72 bytes count."""

    @classmethod
    def identify(cls, hash: str | bytes) -> bool:
        """Whether this is a bcrypt hash that can be verified in a second or so."""
        return super().identify(hash) and int(ensure_str(hash)[4:6]) <= _DEAREST_BCRYPT

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        """Whether it fits."""
        raw = password.encode() if isinstance(password, str) else password
        return super().verify(raw[:_BCRYPT_READS], hash)


class Werkzeug(HasherProtocol):
    """`pbkdf2:sha256:600000$salt$hex` and `scrypt:32768:8:1$salt$hex`, as Flask applications keep them."""

    @classmethod
    def identify(cls, hash: str | bytes) -> bool:
        """Whether this is one of them, at a bearable price."""
        found = _WERKZEUG.fullmatch(ensure_str(hash))
        if found is None:
            return False
        if found["digest"]:
            return int(found["rounds"] or _ROUNDS_UNSAID) <= _DEAREST_ROUNDS
        n, r, p = _scrypt_costs(found)
        return n > 1 and n & (n - 1) == 0 and r > 0 and p > 0 and 132 * n * r * p <= _MOST_MEMORY

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        """Never: new hashes are Argon2id."""
        raise NotImplementedError("new passwords are hashed by Argon2id")

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        """Whether it fits."""
        found = _WERKZEUG.fullmatch(ensure_str(hash))
        if found is None:
            return False
        raw = password.encode() if isinstance(password, str) else password
        salt = found["salt"].encode()
        if found["digest"]:
            rounds = int(found["rounds"] or _ROUNDS_UNSAID)
            made = hashlib.pbkdf2_hmac(found["digest"], raw, salt, rounds)
        else:
            n, r, p = _scrypt_costs(found)
            made = hashlib.scrypt(raw, salt=salt, n=n, r=r, p=p, maxmem=132 * n * r * p)
        return hmac.compare_digest(made.hex(), found["hash"])

    def check_needs_rehash(self, hash: str | bytes) -> bool:
        """Always."""
        return True


def _scrypt_costs(found: re.Match[str]) -> tuple[int, int, int]:
    return (int(found["n"]), int(found["r"]), int(found["p"])) if found["n"] else (2**15, 8, 1)
