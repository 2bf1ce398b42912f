"""What an ensemble's configuration wires together."""

from __future__ import annotations

from collections.abc import Collection, Iterator
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
    def links_of(self) -> dict[int, tuple[Link, ...]]:
        """The same by the step."""
        found: dict[int, list[Link]] = {number: [] for number in range(len(self.steps))}
        for link in self.links:
            found[link.step].append(link)
        return {number: tuple(links) for number, links in found.items()}

    @cached_property
    def written(self) -> dict[str, tuple[Link, ...]]:
        """By tensor, the outputs that go to it."""
        return _by_tensor(link for link in self.links if link.field == "output_map")

    @cached_property
    def read(self) -> dict[str, tuple[Link, ...]]:
        """By tensor, the inputs that take it."""
        return _by_tensor(link for link in self.links if link.field == "input_map")

    @cached_property
    def tensors(self) -> dict[str, None]:
        """Every tensor that a map names, in the order of the maps."""
        return dict.fromkeys(link.tensor for link in self.links)

    @cached_property
    def ready(self) -> frozenset[str]:
        """The tensors that are there once the ensemble has run."""
        return self.run(self.inputs)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """The tensors that a step takes, but no step gives and no client sends."""
        return tuple(t for t in self.read if t not in self.written and t not in self.inputs)

    @cached_property
    def waiting(self) -> frozenset[str]:
        """The tensors that would not be there either if those that are missing were."""
        return frozenset(self.tensors) - self.run(self.inputs | frozenset(self.missing))

    @cached_property
    def blocked(self) -> dict[str, str]:
        """By tensor that is not there, the first output of the ensemble that needs it."""
        found: dict[str, str] = {}
        for output in self.config.output:
            left = [str(output.name)] if output.name in self.tensors else []
            while left:
                tensor = left.pop()
                if tensor not in self.ready and tensor not in found:
                    found[tensor] = str(output.name)
                    left += self.before(tensor)
        return found

    def before(self, tensor: str) -> list[str]:
        """The tensors that the steps take which write *tensor*, by name."""
        return sorted(
            {
                other.tensor
                for link in self.written.get(tensor, ())
                for other in self.links_of[link.step]
                if other.field == "input_map"
            }
        )

    def run(self, given: Collection[str], without: Collection[int] = ()) -> frozenset[str]:
        """
        The tensors that are there once every step has run that can.

        Args:
            given: Those that are there before; what no map names is left out.
            without: Steps that do not run.
        """
        takes = {
            number: {link.tensor for link in links if link.field == "input_map"}
            for number, links in self.links_of.items()
            if number not in without
        }
        left = {number: len(tensors) for number, tensors in takes.items()}
        there: set[str] = set()
        arriving = [tensor for tensor in self.tensors if tensor in given]
        while arriving:
            tensor = arriving.pop()
            if tensor in there:
                continue
            there.add(tensor)
            for number in {link.step for link in self.read.get(tensor, ())} & left.keys():
                left[number] -= 1
                if left[number] == 0:
                    arriving += [
                        link.tensor for link in self.links_of[number] if link.field == "output_map"
                    ]
        return frozenset(there)


def _by_tensor(links: Iterator[Link]) -> dict[str, tuple[Link, ...]]:
    found: dict[str, list[Link]] = {}
    for link in links:
        found.setdefault(link.tensor, []).append(link)
    return {tensor: tuple(links) for tensor, links in found.items()}
