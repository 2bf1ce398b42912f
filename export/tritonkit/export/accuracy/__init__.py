"""How far answers are from the source's."""
