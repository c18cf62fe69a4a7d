"""What is configured, reachable and missing."""
