"""Entries in a Redis, for many processes."""
