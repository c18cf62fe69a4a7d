"""Puts everything together; the only place that knows everyone."""
