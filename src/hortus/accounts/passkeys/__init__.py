"""Passkeys: a device's key instead of a password, and both factors at once."""

from hortus.accounts.passkeys.service import has_passkey

__all__ = ["has_passkey"]
