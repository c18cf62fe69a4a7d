"""Moderation: list generations of all users and take them down."""
