"""Users: search, suspend, change roles, sign out."""
