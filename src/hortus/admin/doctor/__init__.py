"""Findings of `hortus doctor` for administrators."""
