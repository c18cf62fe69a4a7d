"""Assembles the application from all packages and starts its processes."""
