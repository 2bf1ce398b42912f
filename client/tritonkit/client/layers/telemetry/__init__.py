"""Counts, measures and traces calls."""
