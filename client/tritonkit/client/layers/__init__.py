"""Layers, one concern a file."""
