"""Making codes for customers, and ending them."""
