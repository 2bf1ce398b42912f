"""Candidates that are one step away from another."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Neighbours"]


class Neighbours:
    """
    A step changes one factor: a number to the next smaller or greater of those that
    candidates have, a text to any other.

    Args:
        factors: Settings and load of each candidate, in one order for all.
    """

    def __init__(self, factors: Sequence[Sequence[float | str]]) -> None:
        columns = [
            sorted(set(values), key=lambda value: (isinstance(value, str), value))
            for values in zip(*factors, strict=True)
        ]
        self._steps = [
            [1, -1]
            if all(not isinstance(value, str) for value in column)
            else [step for step in range(1 - len(column), len(column)) if step]
            for column in columns
        ]
        order = [{value: place for place, value in enumerate(column)} for column in columns]
        self._places = [
            tuple(places[value] for places, value in zip(order, row, strict=True))
            for row in factors
        ]
        self._found = {place: index for index, place in enumerate(self._places)}

    def of(self, index: int) -> list[int]:
        """Those that are one step away from a candidate, as far as they are candidates."""
        place = self._places[index]
        away = (
            (*place[:axis], place[axis] + step, *place[axis + 1 :])
            for axis, steps in enumerate(self._steps)
            for step in steps
        )
        return [self._found[one] for one in away if one in self._found]
