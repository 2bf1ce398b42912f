"""Whether a model was loaded anew, by its counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Loads", "counters"]

_COUNTED_WITHIN = 0.5
"""Seconds after an answer in which Triton has counted it, also where the CPU is busy."""

Part = tuple[str, str]
"""Name and version of a model."""


@dataclass(slots=True)
class _Seen:
    """What was seen of one loaded model, to notice that it is another one."""

    counters: tuple[int, ...] = ()
    loads: int = 0
    # When it answered first since the counters were what they are.
    answered: float | None = None
    # When the counters were read last.
    read: float = float("-inf")


class Loads:
    """
    Counts how often each model was seen to be loaded.

    Triton does not say when a model was loaded, but its counters begin anew:
    a counter that is less than it was means another load, and so do counters
    that an answer has not changed. So does an answer that the model is not
    there. Where others used a model while nobody looked, its counters may have
    shrunk and grown again: that counts as another load, too.

    Args:
        unwatched: Seconds between two looks at the counters after which they say
            no more than whether anybody used the model.
    """

    def __init__(self, unwatched: float) -> None:
        self._unwatched = unwatched
        self._seen: dict[Part, _Seen] = {}
        self._doubtful: set[str] = set()
        self._doubts: dict[str, int] = {}

    def doubt(self, model: str) -> None:
        """The model was not there: what comes next is another load."""
        # What was never seen may be any name, of which there is no end.
        if any(name == model for name, _ in self._seen):
            self._doubtful.add(model)

    def answered(self, part: Part, now: float) -> bool:
        """An answer came; whether it is the first since the counters were read."""
        seen = self._seen[part]
        if seen.answered is not None:
            return False
        seen.answered = now
        return True

    def look(self, part: Part, counters: tuple[int, ...], asked: float, *, stated: bool) -> int:
        """
        How often the model was seen to be loaded, by now.

        Args:
            part: The model.
            counters: What the server says.
            asked: When it was asked, in seconds of the clock of `answered`.
            stated: Whether the model states a digest, so that others may use it unseen.
        """
        model = part[0]
        seen = self._seen.setdefault(part, _Seen())
        if model in self._doubtful:
            self._doubtful.discard(model)
            self._doubts[model] = self._doubts.get(model, 0) + 1
        moved = counters != seen.counters
        if seen.counters and (
            _less(counters, seen.counters)
            or _uncounted(seen, asked, moved=moved)
            or (moved and not stated and asked - seen.read > self._unwatched)
        ):
            seen.loads += 1
        seen.read = asked
        if moved:
            seen.counters, seen.answered = counters, None
        return seen.loads + (self._doubts.get(model, 0) << 32)


def _uncounted(seen: _Seen, asked: float, *, moved: bool) -> bool:
    """Whether the model had answered when its counters were asked for, without a trace."""
    if moved or seen.answered is None or asked - seen.answered < _COUNTED_WITHIN:
        return False
    seen.answered = None
    return True


def _less(now: tuple[int, ...], before: tuple[int, ...]) -> bool:
    return len(now) != len(before) or any(map(int.__lt__, now, before))


def counters(statistics: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    """Numbers that only grow while a model stays loaded."""
    found: list[int] = []
    for entry in statistics:
        names = ("inference_count", "execution_count", "last_inference")
        found += [int(entry.get(name, 0)) for name in names]
        for _, value in sorted(entry.get("inference_stats", {}).items()):
            found += [int(value.get("count", 0)), int(value.get("ns", 0))]
    return tuple(found)
