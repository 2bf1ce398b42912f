"""One model of an ensemble, wired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """
    One model of an ensemble.

    Args:
        model: Name of the model.
        inputs: Ensemble tensor by the name of the model's input.
        outputs: Ensemble tensor by the name of the model's output. An output
            that is left out is not passed on.
        version: Version of the model; -1 for the newest.
    """

    model: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    version: int = -1
