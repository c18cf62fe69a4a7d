"""Password resets by link or code, and password changes of signed-in users."""

from hortus.auth.password_reset.service import change, reset

__all__ = ["change", "reset"]
