"""Asks again what failed, within a budget and a deadline."""
