"""What each model calls at any depth, looked at once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tritonkit.repository.ensemble.circles import Calls

__all__ = ["Below", "CallGraph"]


@dataclass(frozen=True, slots=True)
class Below:
    """
    What is known of a model and of all that it calls.

    Args:
        in_circle: Whether its calls lead back to it.
        to_circle: Whether they lead into a circle, its own or another.
        marks: Those of the model and of all that it calls.
    """

    in_circle: bool
    to_circle: bool
    marks: frozenset[str]


class CallGraph:
    """
    The calls between models. All questions together take time by the number of calls.

    Args:
        calls: What each model calls; asked again of a model now and then.
        marks: What is to be known of a model by itself.
    """

    def __init__(self, calls: Calls, marks: Callable[[str], frozenset[str]]) -> None:
        self._calls = calls
        self._marks = marks
        self._below: dict[str, Below] = {}

    def below(self, name: str) -> Below:
        """What is known of *name* and of all that it calls."""
        if name not in self._below:
            for circle in self._components(name):
                self._settle(circle)
        return self._below[name]

    def _components(self, root: str) -> Iterator[list[str]]:
        """Models that call one another, each list after all that it calls; by Tarjan."""
        index = {root: 0}
        lowest = {root: 0}
        open_ = [root]
        way = [(root, iter(self._calls(root)))]
        while way:
            name, left = way[-1]
            called = next(left, None)
            if called is None:
                way.pop()
                if way:
                    caller = way[-1][0]
                    lowest[caller] = min(lowest[caller], lowest[name])
                if lowest[name] == index[name]:
                    circle = [open_.pop()]
                    while circle[-1] != name:
                        circle.append(open_.pop())
                    yield circle
            elif called in self._below:
                continue
            elif called in index:
                lowest[name] = min(lowest[name], index[called])
            else:
                index[called] = lowest[called] = len(index)
                open_.append(called)
                way.append((called, iter(self._calls(called))))

    def _settle(self, names: Sequence[str]) -> None:
        called = {one for name in names for one in self._calls(name)}
        deeper = [self._below[one] for one in called.difference(names)]
        in_circle = len(names) > 1 or names[0] in called
        below = Below(
            in_circle,
            in_circle or any(one.to_circle for one in deeper),
            frozenset[str]().union(
                *(self._marks(name) for name in names), *(one.marks for one in deeper)
            ),
        )
        self._below.update(dict.fromkeys(names, below))
