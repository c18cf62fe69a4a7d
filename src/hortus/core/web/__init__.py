"""HTTP: the ASGI layer around the app, dependencies of handlers, strict request bodies, problems, event streams."""
