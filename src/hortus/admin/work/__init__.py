"""Background work: look at it, requeue dead letters, cancel what runs."""
