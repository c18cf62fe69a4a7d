"""Password hashing: Argon2id with OWASP's parameters, in a small thread pool.

Passwords are hashed and compared in Unicode NFC, so that composed and decomposed characters are equal. Hashes of other
forms are accepted and replaced.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from hortus.auth.errors import Busy
from hortus.auth.legacy_hashes import Bcrypt, Werkzeug
from hortus.core import malloc

T = TypeVar("T")
SHORTEST, LONGEST = 8, 128
WAITING_AT_MOST = 200
IDLE_SECONDS = 5.0
"""Seconds without hashing after which its memory is released, twenty megabytes per thread."""
_hashing = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1), Bcrypt(), Werkzeug()))


@lru_cache(1)
def _dummy_hash() -> str:
    return _hashing.hash("dummy password")


class PasswordPool:
    """Hashes and verifies, two at a time; refuses with Busy when too many wait."""

    def __init__(self, threads: int = 2, quiet: float = IDLE_SECONDS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._waiting = 0
        self._quiet = quiet
        self._resting: asyncio.TimerHandle | None = None
        self.jobs = 0

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await self._run(lambda: _hashing.hash(unicodedata.normalize("NFC", password)))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether it fits, and a fresh hash when the stored one is of older parameters or of another system.

        Without a stored hash the same work is done, and the answer is no.
        """
        return await self._run(lambda: _verify(password, stored))

    async def _run(self, job: Callable[[], T]) -> T:
        if self._waiting >= WAITING_AT_MOST:
            raise Busy(headers={"Retry-After": "5"}, retry_after=5)
        loop = asyncio.get_running_loop()
        if self._resting is not None:
            self._resting.cancel()
        self._waiting += 1
        self.jobs += 1
        try:
            return await loop.run_in_executor(self._pool, job)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._resting = loop.call_later(self._quiet, self._pool.submit, malloc.trim)


def _verify(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Try the password in NFC, then as it was sent and in NFD, which other systems may have hashed."""
    normal = unicodedata.normalize("NFC", password)
    for form in dict.fromkeys((normal, password, unicodedata.normalize("NFD", password))):
        valid, fresh = _verify_form(form, stored)
        if valid:
            return True, fresh if form == normal else _hashing.hash(normal)
    return False, None


def _verify_form(password: str, stored: str | None) -> tuple[bool, str | None]:
    if stored is not None:
        try:
            return _hashing.verify_and_update(password, stored)
        except (UnknownHashError, ValueError):  # damaged: the same work, the same answer
            pass
    _hashing.verify(password, _dummy_hash())
    return False, None
