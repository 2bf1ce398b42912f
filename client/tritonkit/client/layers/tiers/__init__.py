"""Several ways to an answer: which one is taken, and what stands in where it fails."""
