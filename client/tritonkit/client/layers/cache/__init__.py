"""Answers that were computed once are not computed again."""
