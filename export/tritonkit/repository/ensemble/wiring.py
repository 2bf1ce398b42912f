"""What an ensemble's configuration wires together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tritonkit.repository.config import ModelConfig

__all__ = ["Link", "Wiring"]


@dataclass(frozen=True, slots=True)
class Link:
    """
    One entry of a step's map: a tensor of the model that is one of the ensemble.

    Args:
        step: Place of the step in the configuration, from 0.
        model: The model that the step calls.
        field: "input_map" or "output_map".
        name: The model's tensor.
        tensor: The ensemble's tensor.
    """

    step: int
    model: str
    field: str
    name: str
    tensor: str

    @property
    def path(self) -> tuple[str | int, ...]:
        """Where it stands in the configuration."""
        return ("ensemble_scheduling", "step", self.step, self.field, self.name)

    @property
    def who(self) -> str:
        """The step in words, such as "step 0 ('tokenizer')"."""
        return f"step {self.step} ({self.model!r})"


class Wiring:
    """
    Who writes and who reads each tensor of an ensemble.

    A step runs once its inputs are there; what it gives is there then.

    Args:
        config: The configuration; nothing in it needs to be right.
    """

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self.name = str(config.name)
        self.steps = tuple(config.ensemble_scheduling.step)
        self.inputs = frozenset(str(tensor.name) for tensor in config.input)
        self.outputs = frozenset(str(tensor.name) for tensor in config.output)

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Every entry of every map: by step, what is written first, then by name."""
        return tuple(
            Link(number, str(step.model_name), field, name, mapping[name])
            for number, step in enumerate(self.steps)
            for field, mapping in (("output_map", step.output_map), ("input_map", step.input_map))
            for name in sorted(mapping)
        )

    @cached_property
    def written(self) -> dict[str, tuple[Link, ...]]:
        """By tensor, the outputs that go to it."""
        return _by_tensor(link for link in self.links if link.field == "output_map")

    @cached_property
    def read(self) -> dict[str, tuple[Link, ...]]:
        """By tensor, the inputs that take it."""
        return _by_tensor(link for link in self.links if link.field == "input_map")

    @cached_property
    def tensors(self) -> tuple[str, ...]:
        """Every tensor that a map names, in the order of the maps."""
        return tuple(dict.fromkeys(link.tensor for link in self.links))

    @cached_property
    def ready(self) -> frozenset[str]:
        """The tensors that are there once the ensemble has run."""
        return self._run(self.inputs)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """The tensors that a step takes, but no step gives and no client sends."""
        return tuple(t for t in self.read if t not in self.written and t not in self.inputs)

    @cached_property
    def waiting(self) -> frozenset[str]:
        """The tensors that would not be there either if those that are missing were."""
        return frozenset(self.tensors) - self._run(self.inputs | frozenset(self.missing))

    def before(self, tensor: str) -> tuple[str, ...]:
        """The tensors that the steps take which write *tensor*, by name."""
        steps = {link.step for link in self.written.get(tensor, ())}
        return tuple(
            sorted(
                {
                    link.tensor
                    for link in self.links
                    if link.field == "input_map" and link.step in steps
                }
            )
        )

    def needed(self, tensor: str) -> frozenset[str]:
        """*tensor* and all that it is made of."""
        seen: set[str] = set()
        left = [tensor]
        while left:
            one = left.pop()
            if one not in seen:
                seen.add(one)
                left += self.before(one)
        return frozenset(seen)

    def _run(self, given: frozenset[str]) -> frozenset[str]:
        there = set(given) & set(self.tensors)
        takes: dict[int, set[str]] = {}
        gives: dict[int, set[str]] = {}
        for link in self.links:
            side = takes if link.field == "input_map" else gives
            side.setdefault(link.step, set()).add(link.tensor)
        left = [number for number in gives if takes.get(number)]
        while runs := [number for number in left if takes[number] <= there]:
            left = [number for number in left if number not in runs]
            there.update(tensor for number in runs for tensor in gives[number])
        return frozenset(there)


def _by_tensor(links: Iterator[Link]) -> dict[str, tuple[Link, ...]]:
    found: dict[str, tuple[Link, ...]] = {}
    for link in links:
        found[link.tensor] = (*found.get(link.tensor, ()), link)
    return found
