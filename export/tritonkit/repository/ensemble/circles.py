"""Ensembles that call one another in a circle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "Calls",
    "bottom_up",
    "circle_through",
    "circles",
    "circular_text",
    "reached",
    "reached_circle",
]

Calls = Callable[[str], Sequence[str]]
"""The models that an ensemble calls, in the order of its steps; none for other models."""


def circle_through(name: str, calls: Calls) -> tuple[str, ...]:
    """The shortest circle of calls from *name* back to it, which ends before it; else empty."""
    caller: dict[str, str] = {}
    ahead = [name]
    for one in ahead:
        for called in calls(one):
            if called == name:
                way = [one]
                while way[-1] != name:
                    way.append(caller[way[-1]])
                return tuple(reversed(way))
            if called not in caller:
                caller[called] = one
                ahead.append(called)
    return ()


def circles(names: Iterable[str], calls: Calls) -> Iterator[tuple[str, ...]]:
    """Circles of calls that can be met from *names*, none with a part of another."""
    state: dict[str, int] = {}
    told: set[str] = set()
    for root in names:
        way = [root] if root not in state else []
        stack = [iter(calls(root))] if way else []
        state.setdefault(root, 1)
        while stack:
            called = next(stack[-1], None)
            if called is None:
                stack.pop()
                state[way.pop()] = 2
            elif called not in state:
                state[called] = 1
                way.append(called)
                stack.append(iter(calls(called)))
            elif state[called] == 1:
                circle = way[way.index(called) :]
                if told.isdisjoint(circle):
                    told.update(circle)
                    yield tuple(circle)


def reached_circle(name: str, calls: Calls) -> tuple[str, ...]:
    """A circle that *name* calls into and is no part of; empty where there is none."""
    return next((one for one in circles([name], calls) if name not in one), ())


def circular_text(name: str, calls: Calls) -> str:
    """
    What Triton says of *name*, which is part of a circle, when it is asked to load it.

    Triton looks at the models by name, each on its way back to itself, and marks those on
    the way with what it found.
    """
    texts: dict[str, str] = {}
    for start in sorted(reached(name, calls)):
        if start not in texts:
            _search(start, calls, texts)
    return texts.get(name, "")


def reached(name: str, calls: Calls) -> list[str]:
    """*name*, and all that it calls at any depth; each after one that calls it."""
    found = {name: None}
    ahead = [name]
    for one in ahead:
        for called in calls(one):
            if called not in found:
                found[called] = None
                ahead.append(called)
    return ahead


def bottom_up(name: str, calls: Calls) -> list[str]:
    """The same, each after all that it calls, but for those that call it in turn."""
    found: list[str] = []
    seen = {name}
    way = [name]
    stack = [iter(calls(name))]
    while stack:
        called = next(stack[-1], None)
        if called is None:
            stack.pop()
            found.append(way.pop())
        elif called not in seen:
            seen.add(called)
            way.append(called)
            stack.append(iter(calls(called)))
    return found


def _search(start: str, calls: Calls, texts: dict[str, str]) -> None:
    """Mark *start* and those on its way back to itself, where there is one."""
    way = [start]
    stack = [iter(calls(start))]
    # From one that was left without success there is none; from one on the way Triton does
    # not come back.
    seen = {start}
    while stack:
        called = next(stack[-1], None)
        if called is None:
            stack.pop()
            way.pop()
        elif called == start:
            text = f"circular dependency between ensembles: {start} -> ... -> {way[-1]} -> {start}"
            texts.update(dict.fromkeys([start, *way[:-1]], text))
            return
        elif called not in seen:
            seen.add(called)
            way.append(called)
            stack.append(iter(calls(called)))
