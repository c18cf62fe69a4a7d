"""Infrastructure shared by all features: database, HTTP, caching, events, telemetry, security, settings."""
