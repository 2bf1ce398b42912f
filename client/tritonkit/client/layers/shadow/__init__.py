"""A copy of real traffic to another model, and whether it may take the first one's place."""
