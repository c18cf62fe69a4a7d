"""Giving credits, with a second administrator above a limit."""
