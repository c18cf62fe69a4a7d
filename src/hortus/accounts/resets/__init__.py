"""Passwords chosen anew: by a link, by a code, or by whoever is signed in."""

from hortus.accounts.resets.service import change, reset

__all__ = ["change", "reset"]
