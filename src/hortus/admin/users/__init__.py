"""Users: search, suspend, give roles, sign out."""
