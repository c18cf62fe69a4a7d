"""The policy for new passwords: hard to guess, and not in a list of leaked passwords.

The list is queried with k-anonymity: the request contains the first five characters of a SHA-1, the response hundreds
of suffixes; neither the password nor its hash leaves this process. If the list is unavailable, only the word lists of
`password_strength` apply, with the thirty thousand most common passwords.
"""

import asyncio
import hashlib
import re
import time
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, ClassVar, Literal

import structlog
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from hortus.auth.errors import WeakPassword
from hortus.auth.password_strength import PRODUCT, check_strength
from hortus.core.configuration import Rule, SettingsGroup
from hortus.core.http import Http, HttpError
from hortus.core.settings import LOOPBACK, Settings

log = structlog.get_logger()
RETRY_SECONDS = 60.0
"""After a failure the list is not queried for so long: an outage must not slow every sign-up."""
_LONGEST_ANSWER = 512 * 1024
_LINE = re.compile(r"([0-9A-F]{35}):(\d{1,12})")
LEAKED = "This password is in lists of leaked passwords, which attackers try first."


class BreachSettings(SettingsGroup):
    """PASSWORD_BREACH_CHECK: `auto` checks if the installation is public, `on` always, `off` never."""

    model_config = SettingsConfigDict(env_prefix="PASSWORD_BREACH_")
    heading: ClassVar[str] = "Leaked passwords"

    check: Literal["auto", "on", "off"] = "auto"
    """Whether new passwords are checked against a list of leaked ones; `auto` checks if the installation is public."""
    url: Annotated[
        str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$", max_length=500), Rule("an http:// or https:// address")
    ] = "https://api.pwnedpasswords.com/range/"
    """The list; it speaks the protocol of Pwned Passwords."""
    seconds: float = Field(1.5, gt=0, le=10)
    """How long a sign-up waits for the answer."""


class PasswordPolicy:
    """Judges new passwords in a thread of its own."""

    def __init__(
        self, settings: Settings, http: Http, breaches: BreachSettings, names: Sequence[str] = (PRODUCT,)
    ) -> None:
        public = settings.host not in LOOPBACK or bool(settings.public_url)
        self._checks_breaches = breaches.check == "on" or (breaches.check == "auto" and public)
        self._url, self._seconds = breaches.url.rstrip("/") + "/", breaches.seconds
        self._http = http
        self._names = names
        self._retry_at = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="strength")

    async def check(self, password: str, *known: str | None) -> None:
        """Raise WeakPassword, with `feedback`, for a weak or leaked password; `known` are words about the user.

        Do not call it while a transaction is open: it may make an HTTP request.
        """
        password = unicodedata.normalize("NFC", password)
        judge = partial(check_strength, password, *known, names=self._names)
        await asyncio.get_running_loop().run_in_executor(self._thread, judge)
        if self._checks_breaches and await self._leaked(password):
            raise WeakPassword(LEAKED, feedback=["Choose one that you have used nowhere else."])

    async def _leaked(self, password: str) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            suffixes = await self._suffixes(digest[:5])
        except HttpError as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            log.warning("breach_check_skipped", reason=str(error), retry_seconds=RETRY_SECONDS)
            return False
        return suffixes.get(digest[5:], 0) > 0  # padding has a count of zero

    async def _suffixes(self, prefix: str) -> dict[str, int]:
        answer = await self._http.request(
            "GET",
            self._url + prefix,
            headers={"Add-Padding": "true"},
            timeout=self._seconds,
            max_bytes=_LONGEST_ANSWER,
        )
        if answer.status != 200:
            raise HttpError(f"the list answered {answer.status}")
        lines = [_LINE.fullmatch(line.strip().upper()) for line in answer.body.decode("ascii", "replace").splitlines()]
        if not lines or None in lines:
            raise HttpError("the list returned an unexpected response")
        return {line[1]: int(line[2]) for line in lines if line is not None}
