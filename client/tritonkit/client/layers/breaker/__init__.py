"""Asks a service that mostly fails no more, until a probe comes back."""
