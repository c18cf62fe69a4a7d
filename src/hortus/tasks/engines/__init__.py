"""Engines run claimed tasks; one file each."""
