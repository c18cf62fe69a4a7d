"""Passwords chosen anew: by a link, by a code, or by whoever is signed in."""

from hortus.auth.password_reset.service import change, reset

__all__ = ["change", "reset"]
