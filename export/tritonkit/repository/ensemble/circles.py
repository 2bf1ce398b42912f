"""Ensembles that call one another in a circle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["Calls", "circle_through", "circular_text", "reached_circle"]

Calls = Callable[[str], Sequence[str]]
"""The models that an ensemble calls, in the order of its steps; none for other models."""


def circle_through(name: str, calls: Calls) -> tuple[str, ...]:
    """The shortest circle of calls from *name* back to it, which ends before it; else empty."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen: set[str] = set()
    for way in ways:
        for called in calls(way[-1]):
            if called == name:
                return way
            if called not in seen:
                seen.add(called)
                ways.append((*way, called))
    return ()


def reached_circle(name: str, calls: Calls) -> tuple[str, ...]:
    """A circle that *name* calls into and is no part of; empty where there is none."""
    if circle_through(name, calls):
        return ()
    for other in _reached(name, calls)[1:]:
        circle = circle_through(other, calls)
        if circle:
            return circle
    return ()


def circular_text(name: str, calls: Calls) -> str:
    """
    What Triton says of *name*, which is part of a circle, when it is asked to load it.

    Triton looks at the models by name, each on its way back to itself, and marks those on
    the way with what it found.
    """
    names = sorted(_reached(name, calls))
    texts: dict[str, str] = {}
    for start in names:
        if start not in texts:
            found = _search(start, start, calls, texts, set())
            if found:
                texts[start] = found
    return texts.get(name, "")


def _search(current: str, start: str, calls: Calls, texts: dict[str, str], above: set[str]) -> str:
    for called in dict.fromkeys(calls(current)):
        if called == start:
            return f"circular dependency between ensembles: {start} -> ... -> {current} -> {start}"
        if called in above:
            # Triton does not come back from here.
            continue
        found = _search(called, start, calls, texts, above | {called})
        if found:
            texts[current] = found
            return found
    return ""


def _reached(name: str, calls: Calls) -> list[str]:
    found = [name]
    for one in found:
        found += [called for called in dict.fromkeys(calls(one)) if called not in found]
    return found
