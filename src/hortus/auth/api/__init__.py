"""The routes of sign-in: one router per module."""
