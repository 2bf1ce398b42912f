"""An entry of `input` or `output` in a configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from tritonkit.repository.config import ModelConfig

__all__ = ["Entry", "Path", "entries_of", "shape_text"]

Path: TypeAlias = "tuple[str | int, ...]"
"""Where something stands in a configuration, as `Document.place` takes it."""


class Entry(NamedTuple):
    """
    An input or an output of a model, as its configuration has it.

    Args:
        side: "input" or "output".
        position: Which of its side, from 0.
        io: The message.
    """

    side: str
    position: int
    io: Any

    @property
    def name(self) -> str:
        """Its name; empty where it has none."""
        return str(self.io.name)

    @property
    def label(self) -> str:
        """What a sentence calls it: input 'x', or its number where it has no name."""
        return f"{self.side} '{self.name}'" if self.name else f"{self.side} {self.position}"

    @property
    def path(self) -> Path:
        """Where it stands."""
        return (self.side, self.position)

    @property
    def optional(self) -> bool:
        """Whether a request may leave it out: an input only."""
        return self.side == "input" and bool(self.io.optional)

    @property
    def ragged(self) -> bool:
        """Whether rows of different sizes are put one after the other: an input only."""
        return self.side == "input" and bool(self.io.allow_ragged_batch)

    @property
    def shape(self) -> tuple[int, ...]:
        """What the backend gets without the batch axis: `reshape`, or `dims`."""
        return tuple(self.io.reshape.shape if self.io.HasField("reshape") else self.io.dims)

    @property
    def shape_path(self) -> Path:
        """Where `shape` stands; an index behind it is one size."""
        return (*self.path, *(("reshape", "shape") if self.io.HasField("reshape") else ("dims",)))


def entries_of(config: ModelConfig) -> tuple[Entry, ...]:
    """The inputs of *config*, then its outputs."""
    return (
        *(Entry("input", index, io) for index, io in enumerate(config.input)),
        *(Entry("output", index, io) for index, io in enumerate(config.output)),
    )


def shape_text(sizes: Iterable[int]) -> str:
    """A shape as Triton writes it: [-1,16]."""
    return f"[{','.join(map(str, sizes))}]"
