"""What a graph is made of besides tensors: operators, and files of weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["ExternalData", "Operator"]


class Operator(NamedTuple):
    """A type of operator; the domain of ONNX's own is ""."""

    domain: str
    name: str


@dataclass(frozen=True, slots=True)
class ExternalData:
    """
    A file that holds weights of a graph.

    Args:
        location: Its path, relative to the model file's folder.
        needed_bytes: Its least size, from the offsets and lengths that the graph names.
        found_bytes: Its size; None where there is no such file.
    """

    location: str
    needed_bytes: int
    found_bytes: int | None
