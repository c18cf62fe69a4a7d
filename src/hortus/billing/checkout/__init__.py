"""Checkouts: order, open at the gateway, cancel, expire, close."""
