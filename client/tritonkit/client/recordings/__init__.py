"""Traces of the keys that a cache was asked for."""
