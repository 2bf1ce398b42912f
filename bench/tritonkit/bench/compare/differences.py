"""What differs between the conditions of two runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.report.encoding import encode_conditions

__all__ = ["Difference", "differences"]

_OWN = frozenset({"url", "started", "command", "load_average", "parts", "inputs", "load"})
"""What may differ between runs of the same; or is told by another field in more detail."""

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One condition.

    Args:
        name: Such as "machine.cpu".
        base: Its value in the first run.
        new: In the second.
    """

    name: str
    base: str
    new: str

    def __str__(self) -> str:
        return f"{self.name}: {self.base} and {self.new}"


def differences(base: Conditions, new: Conditions) -> tuple[Difference, ...]:
    """
    Conditions that are not the same, each with both values.

    Of a merge each run's conditions are looked at, in their order.
    """
    found = dict.fromkeys(
        one
        for first, second in zip(base.each, new.each, strict=False)
        for one in _between(first, second)
    )
    if len(base.each) != len(new.each):
        found[Difference("runs in the merge", str(len(base.each)), str(len(new.each)))] = None
    return tuple(found)


def _between(base: Conditions, new: Conditions) -> Iterator[Difference]:
    first, second = encode_conditions(base), encode_conditions(new)
    # Documents without a workload's own description have the inputs alone.
    if not (first["workload"] and second["workload"]):
        first["workload"], second["workload"] = first["inputs"], second["inputs"]
    if not (first["plan"] or second["plan"]):
        first["plan"], second["plan"] = {"load": first["load"]}, {"load": second["load"]}
    for side in (first, second):
        # The plan tells them once more.
        side["plan"] = {name: v for name, v in side["plan"].items() if name not in side}
    for name in first:
        if name not in _OWN:
            yield from _values(name, first[name], second[name])


def _values(name: str, base: Any, new: Any) -> Iterator[Difference]:
    if base == new:
        return
    if isinstance(base, Mapping) and isinstance(new, Mapping):
        for inner in dict.fromkeys([*base, *new]):
            yield from _values(f"{name}.{inner}", base.get(inner), new.get(inner))
        return
    yield Difference(name, _text(base), _text(new))


def _text(value: Any) -> str:
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
