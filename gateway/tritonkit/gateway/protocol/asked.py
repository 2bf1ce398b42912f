"""What a request for an inference asks, and in which form its answer is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tritonkit.client.types import InferRequest

__all__ = ["Asked", "Form", "Opaque"]


@dataclass(frozen=True, slots=True)
class Form:
    """
    How outputs are wanted: as bytes after the JSON, or in it.

    Args:
        binary: Of those that the request names, whether as bytes.
        others: Whether all others come as bytes.
    """

    binary: Mapping[str, bool] = field(default_factory=dict)
    others: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A request that layers can carry.

    Args:
        request: Arrays are views of the body where their type allows it.
        form: Of the answer.
    """

    request: InferRequest
    form: Form


@dataclass(frozen=True, slots=True)
class Opaque:
    """
    A request that only a server can answer, as it came.

    Args:
        reason: What layers cannot carry, or what is wrong with it, for people.
        wrong: Whether a server refuses it before it computes anything. It is forwarded
            all the same, for the server's own words, and nobody has to account for it.
        sequence: Id of the sequence that it is a step of, all of which go to one server;
            empty for none.
    """

    reason: str
    wrong: bool = False
    sequence: str = ""
