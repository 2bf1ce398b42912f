"""Repairs of what has one right answer: what they are, a plan of them, and its writing."""
