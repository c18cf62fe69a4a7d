"""Credit grants by administrators, approved by a second administrator above a limit."""
