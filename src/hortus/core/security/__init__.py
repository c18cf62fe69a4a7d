"""Encryption at rest, signatures, and the marking of credentials in responses."""
