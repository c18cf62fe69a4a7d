"""Customers who bring customers."""
