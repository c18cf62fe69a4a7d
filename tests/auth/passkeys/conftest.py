"""A running server on each of the two databases."""
