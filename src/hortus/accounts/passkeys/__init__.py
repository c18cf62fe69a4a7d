"""Passkeys: a device's key instead of a password, and both factors at once."""

from hortus.accounts.passkeys.challenges import sweep_challenges
from hortus.accounts.passkeys.service import has_passkey, remove_passkeys

__all__ = ["has_passkey", "remove_passkeys", "sweep_challenges"]
