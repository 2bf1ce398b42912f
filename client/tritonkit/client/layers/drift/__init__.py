"""A layer that watches for drift."""
