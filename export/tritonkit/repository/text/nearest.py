"""What was meant by a name that is none."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean"]

_LONGEST = 60


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A question with the nearest of *names*; empty where none is near."""
    if len(name) > _LONGEST:
        return ""
    by_lower = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    return f"did you mean '{by_lower[near[0]]}'?" if near else ""
