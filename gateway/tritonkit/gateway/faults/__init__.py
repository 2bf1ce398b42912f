"""Faults on purpose, to watch the fallback."""
