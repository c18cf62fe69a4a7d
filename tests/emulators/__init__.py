"""Vendors on loopback: real HTTP servers that speak the vendors' wire formats, and fail on demand."""
