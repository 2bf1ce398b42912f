"""What a check found, as people and programs read it."""
