"""The HTTP server: connections, limits, draining, and who gets a request."""
