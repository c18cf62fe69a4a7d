"""The commands of `hortus`: what an operator types."""
