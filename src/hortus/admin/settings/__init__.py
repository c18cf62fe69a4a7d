"""Settings in force, without secrets."""
