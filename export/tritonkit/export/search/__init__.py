"""Candidates, measured against each other, and the choice among them."""
