"""Fakes of our own protocols, and the tests that every store and layer must pass."""
