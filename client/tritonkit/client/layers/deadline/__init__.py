"""An end to every request."""
