"""Coupons: create, list and end them."""
