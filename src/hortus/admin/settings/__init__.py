"""How this installation is set up, without its secrets."""
