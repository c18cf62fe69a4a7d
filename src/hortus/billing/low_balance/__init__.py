"""Emails to customers whose credit runs low."""
