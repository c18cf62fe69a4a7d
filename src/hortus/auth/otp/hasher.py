"""Keyed digests of codes and targets, with the settings of OTPs. Opened once per process."""

import secrets

from hortus.accounts import Target, keyed_digest, person_digests
from hortus.auth.otp.settings import OtpSettings
from hortus.core.configuration import Configuration
from hortus.core.settings import Settings


class OtpHasher:
    """Makes codes, and the keyed digests under which they and their targets are stored.

    Six digits are guessed from a plain digest in a moment; without the installation's key they are not.
    """

    def __init__(self, settings: Settings, rules: OtpSettings) -> None:
        self._keys = settings.keys_for("one-time codes")
        self.rules = rules
        self.limits_enabled = settings.rate_limits_enabled
        self.links_base = (settings.frontend_base_url or settings.origin).rstrip("/")

    @staticmethod
    def new_code(digits: int) -> str:
        """So many random digits."""
        return f"{secrets.randbelow(10**digits):0{digits}d}"

    def code_digests(self, purpose: str, target: Target, request_id: str, code: str) -> list[str]:
        """The stored form of a code under each key, the current one first: bound to purpose, target and request."""
        parts = ("code", purpose, target.kind, target.value, request_id, code)
        return [keyed_digest(key, *parts) for key in self._keys]

    def address_digest(self, address: str) -> str:
        """The keyed digest of a network address, for comparisons."""
        return self._digest("address", address)

    def target_digest(self, target: Target) -> str:
        """The digest of a target, for counts that outlive its user."""
        return self._digest("target", target.kind, target.value)

    def person_digests(self, target: Target) -> list[str]:
        """All spellings of one address under one digest; under the key of today first, then under those before it."""
        return person_digests(self._keys, target)

    def sign_up_mark(self, body: str) -> str:
        """A keyed digest that distinguishes two sign-ups. The body contains a password, which it does not reveal."""
        return self._digest("sign-up", body)

    def _digest(self, *parts: str) -> str:
        return keyed_digest(self._keys[0], *parts)


def otp_hasher_of(configuration: Configuration) -> OtpHasher:
    """The digests and the limits of an installation with these settings."""
    return OtpHasher(configuration.get(Settings), configuration.get(OtpSettings))
