"""Where a tensor of an ensemble meets its models: the ends of each edge, and whether they fit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from tritonkit.repository.check.data_type import data_type_name
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.ensemble.circles import reached
from tritonkit.repository.ensemble.wiring import Link, Wiring

__all__ = ["Edges", "End", "Find", "shapes_meet"]

Find: TypeAlias = Callable[[str], "ModelConfig | None"]
"""The completed configuration of a model by its name; None where there is none."""

Adds: TypeAlias = "Callable[[str], bool | None]"


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
        adds: Whether a model adds inputs and outputs to those of its configuration when it is
            loaded; None of one that may do so only where there are none.
        decoupled: Whether a model, or one that it calls, is decoupled; None to look.
    """

    def __init__(
        self,
        wiring: Wiring,
        find: Find,
        adds: Adds = lambda _: None,
        decoupled: Callable[[str], bool] | None = None,
    ) -> None:
        self.wiring = wiring
        self.find = find
        self.adds = adds
        self._is_decoupled = decoupled
        self._decoupled: dict[str, bool] = {}

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
        found: dict[str, list[End]] = {}
        for kind, tensors in (("input", config.input), ("output", config.output)):
            for index, tensor in enumerate(tensors):
                # The first that has the name is the one that counts.
                found.setdefault(str(tensor.name), [self._own(kind, index, tensor)])
        for number, model, called in self.calls:
            links = {(link.field, link.name): link for link in self.wiring.links_of[number]}
            for field, tensors in (("input_map", called.input), ("output_map", called.output)):
                for tensor in tensors:
                    mapped = links.get((field, str(tensor.name)))
                    if mapped is not None:
                        end = _end(model, (), mapped, tensor, bool(called.max_batch_size > 0))
                        found.setdefault(mapped.tensor, []).append(end)
        return {tensor: tuple(ends) for tensor, ends in found.items()}

    def has_only(self, model: str, names: Collection[str]) -> bool:
        """Whether *names*, the inputs or the outputs of its configuration, are all of a model's."""
        adds = self.adds(model)
        return bool(names) if adds is None else not adds

    def decoupled(self, model: str) -> bool:
        """Whether a model may answer a request more than once; an ensemble as its models do."""
        if self._is_decoupled is not None:
            return self._is_decoupled(model)
        if model not in self._decoupled:
            below = (self.find(one) for one in reached(model, lambda n: _called(self.find(n))))
            self._decoupled[model] = any(
                config.model_transaction_policy.decoupled
                for config in below
                if config is not None and not config.HasField("ensemble_scheduling")
            )
        return self._decoupled[model]

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
        data_type_name(tensor.data_type),
        tuple(tensor.dims),
        batching,
        tuple(tensor.reshape.shape) if tensor.HasField("reshape") else None,
    )


def _match(one: Sequence[int], other: Sequence[int]) -> bool:
    return len(one) == len(other) and all(
        a == b or -1 in (a, b) for a, b in zip(one, other, strict=True)
    )


def _called(config: ModelConfig | None) -> list[str]:
    steps = () if config is None else config.ensemble_scheduling.step
    return list(dict.fromkeys(str(step.model_name) for step in steps))
