"""Statistics that hold at every look, by numpy and math alone: no state, no clock."""
