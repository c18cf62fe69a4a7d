"""Passkeys: a device's key instead of a password, and both factors at once."""

from hortus.auth.passkeys.challenges import sweep_challenges
from hortus.auth.passkeys.service import has_passkey, passkey_count, remove_passkeys

__all__ = ["has_passkey", "passkey_count", "remove_passkeys", "sweep_challenges"]
