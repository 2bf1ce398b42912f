"""Runs beside each other, and runs of several machines put together."""
