"""What this installation sells: providers, models, switches."""
