"""One row that a file gives: inputs, parameters, and what its answer must be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

__all__ = ["Encoded", "Entries", "Entry"]


class Encoded(ABC):
    """A tensor in a form that only its tensor's datatype and dimensions make sense of."""

    @abstractmethod
    def array(self, datatype: str, dims: Sequence[int]) -> NDArray[Any]:
        """
        The tensor of one row.

        Args:
            datatype: Triton's name.
            dims: Without the batch dimension; -1 is any size.

        Raises:
            InvalidInput: If it does not fit; the message lacks its subject.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One row, as the file has it.

    Args:
        place: File and line, for errors.
        inputs: By name, without the batch dimension: what `Client.infer` takes, or `Encoded`.
        parameters: Of its request.
        outputs: The outputs to ask for; empty for all.
        expected: Values of outputs by name, in the forms of *inputs*.
    """

    place: str
    inputs: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    expected: Mapping[str, Any] = field(default_factory=dict)


class Entries(Protocol):
    """Entries that can be iterated again and again."""

    def __len__(self) -> int:
        """How many there are."""

    def __iter__(self) -> Iterator[Entry]:
        """Each in turn."""
