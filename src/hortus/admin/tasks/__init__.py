"""Background tasks: list, requeue dead letters, cancel."""
