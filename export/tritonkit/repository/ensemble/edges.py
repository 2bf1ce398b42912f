"""Where a tensor of an ensemble meets its models: the ends of each edge, and whether they fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from tritonclient.grpc import model_config_pb2

from tritonkit.repository.config import ModelConfig
from tritonkit.repository.ensemble.wiring import Link, Wiring

__all__ = ["Edges", "End", "Find", "shapes_meet"]

Find: TypeAlias = Callable[[str], "ModelConfig | None"]
"""The completed configuration of a model by its name; None where there is none."""


@dataclass(frozen=True, slots=True)
class End:
    """
    What one side says of a tensor.

    Args:
        model: The model, or the ensemble itself.
        place: The ensemble's own input or output: ("input", 0). Empty for a model's.
        link: The entry that maps the model's tensor; None for the ensemble's own.
        data_type: As config.pbtxt has it.
        dims: Without the batch axis.
        batching: Whether a batch axis stands before them.
        reshaped: What its model makes of the dims; None where it leaves them.
    """

    model: str
    place: tuple[str | int, ...]
    link: Link | None
    data_type: str
    dims: tuple[int, ...]
    batching: bool
    reshaped: tuple[int, ...] | None = None

    @property
    def full(self) -> tuple[int, ...]:
        """The dims with the batch axis, where there is one."""
        return (-1, *self.dims) if self.batching else self.dims

    @property
    def who(self) -> str:
        """Whose tensor it is, in words."""
        if self.link is None:
            return f"the ensemble's {self.place[0]}"
        kind = "input" if self.link.field == "input_map" else "output"
        return f"{kind} {self.link.name!r} of {self.link.who}"


def shapes_meet(one: End, other: End) -> bool:
    """Whether Triton lets two ends be one tensor: their dims, or else their full shapes, match."""
    return _match(one.dims, other.dims) or _match(one.full, other.full)


class Edges:
    """
    Every tensor of an ensemble with what its ends say of it.

    Args:
        wiring: The ensemble.
        find: Its models.
    """

    def __init__(self, wiring: Wiring, find: Find) -> None:
        self.wiring = wiring
        self.find = find

    @property
    def batching(self) -> bool:
        """Whether the ensemble has a batch axis."""
        return bool(self.wiring.config.max_batch_size > 0)

    @cached_property
    def calls(self) -> tuple[tuple[int, str, ModelConfig], ...]:
        """Number, model and configuration of each step whose model is there."""
        found = ((n, str(s.model_name)) for n, s in enumerate(self.wiring.steps))
        return tuple((n, name, c) for n, name in found if (c := self.find(name)) is not None)

    @cached_property
    def ends(self) -> dict[str, tuple[End, ...]]:
        """By tensor, its ends; Triton compares each with the first."""
        config = self.wiring.config
        found: dict[str, tuple[End, ...]] = {}
        for kind, tensors in (("input", config.input), ("output", config.output)):
            for index, tensor in enumerate(tensors):
                # The first that has the name is the one that counts.
                found.setdefault(str(tensor.name), (self._own(kind, index, tensor),))
        for number, model, called in self.calls:
            links = [link for link in self.wiring.links if link.step == number]
            for field, tensors in (("input_map", called.input), ("output_map", called.output)):
                for tensor in tensors:
                    for link in links:
                        if link.field == field and link.name == tensor.name:
                            end = _end(model, (), link, tensor, bool(called.max_batch_size > 0))
                            found[link.tensor] = (*found.get(link.tensor, ()), end)
        return found

    def decoupled(self, model: str) -> bool:
        """Whether a model may answer a request more than once; an ensemble as its models do."""
        return _decoupled(model, self.find, frozenset({self.wiring.name}))

    def _own(self, kind: str, index: int, tensor: Any) -> End:
        end = _end(self.wiring.name, (kind, index), None, tensor, self.batching)
        if end.reshaped is None:
            return end
        # What clients send is reshaped before the steps get it.
        return End(end.model, end.place, None, end.data_type, end.reshaped, end.batching)


def _end(
    model: str, place: tuple[str | int, ...], link: Link | None, tensor: Any, batching: bool
) -> End:
    return End(
        model,
        place,
        link,
        str(model_config_pb2.DataType.Name(tensor.data_type)),
        tuple(tensor.dims),
        batching,
        tuple(tensor.reshape.shape) if tensor.HasField("reshape") else None,
    )


def _match(one: Sequence[int], other: Sequence[int]) -> bool:
    return len(one) == len(other) and all(
        a == b or -1 in (a, b) for a, b in zip(one, other, strict=True)
    )


def _decoupled(model: str, find: Find, above: frozenset[str]) -> bool:
    config = find(model)
    if config is None or model in above:
        return False
    if not config.HasField("ensemble_scheduling"):
        return bool(config.model_transaction_policy.decoupled)
    return any(_decoupled(name, find, above | {model}) for name in _called(config))


def _called(config: ModelConfig) -> Iterator[str]:
    return iter(dict.fromkeys(str(step.model_name) for step in config.ensemble_scheduling.step))
