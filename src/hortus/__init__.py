"""Hortus: a self-hosted backend and studio for selling generative AI."""

__version__ = "0.1.0"
