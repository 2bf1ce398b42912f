"""What is in a picture: boxes with ports, and wires between the ports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ["Box", "Diagram", "Kind", "Port", "Wire"]

Kind: TypeAlias = Literal["input", "output", "model", "ensemble", "nothing"]
"""What clients send, what they receive, a step, an ensemble; "nothing" for what is not there."""


@dataclass(frozen=True, slots=True)
class Port:
    """
    A tensor where it goes into a box or comes out of it.

    Args:
        name: The model's name of it.
        shape: Data type and dims, such as "FP32 [4]"; "" where they are not known.
        tensor: The ensemble's name of it; "" where that is the same or none.
        faults: Numbers of what is wrong with it.
    """

    name: str
    shape: str = ""
    tensor: str = ""
    faults: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """Its name or both names."""
        return f"{self.name} ({self.tensor})" if self.tensor else self.name


@dataclass(frozen=True, slots=True)
class Box:
    """
    A model, or a tensor of the ensemble's own.

    Args:
        kind: What it is.
        title: Its name.
        detail: What else is known of it, in a few words.
        inputs: What it takes.
        outputs: What it gives.
        faults: Numbers of what is wrong with the whole.
        inside: What an ensemble that is opened is made of.
    """

    kind: Kind
    title: str
    detail: str = ""
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    faults: tuple[int, ...] = ()
    inside: Diagram | None = None


@dataclass(frozen=True, slots=True)
class Wire:
    """
    A tensor from one box to another.

    Args:
        source: Number of the box that it comes out of.
        output: Number of the port there.
        target: Number of the box that it goes into.
        input: Number of the port there.
        tensor: The ensemble's name of it.
        wrong: Whether something is wrong with it.
    """

    source: int
    output: int
    target: int
    input: int
    tensor: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """
    A picture before it is drawn.

    Args:
        title: Name of the model.
        detail: What it is, in a few words.
        boxes: In the order of the steps, inputs first and outputs last.
        wires: Between them.
        faults: What is wrong, by its number, in words.
    """

    title: str
    detail: str
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    faults: dict[int, str] = field(default_factory=dict)

    def describe(self) -> str:
        """The picture in words, for those who do not see it."""
        parts = [f"{self.title}: {self.detail}."]
        for box in self.boxes:
            if box.kind in ("model", "ensemble"):
                takes = ", ".join(port.label for port in box.inputs) or "nothing"
                gives = ", ".join(port.label for port in box.outputs) or "nothing"
                parts.append(f"{box.title} takes {takes} and gives {gives}.")
        return " ".join([*parts, *self.faults.values()])
