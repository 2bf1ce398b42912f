"""The edges of an ensemble under check."""

from __future__ import annotations

from tritonkit.repository.check.backend import adds_tensors
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.ensemble.edges import Edges
from tritonkit.repository.ensemble.wiring import Wiring

__all__ = ["edges_of"]


def edges_of(model: Subject) -> Edges:
    """Those of an ensemble and the models beside it; none of another model."""

    def find(name: str) -> ModelConfig | None:
        # Of a configuration that stands alone nothing around it is known.
        other = model.neighbours.get(name) if model.directory is not None else None
        return None if other is None or not other.parsed else other.config

    def adds(name: str) -> bool | None:
        other = model.neighbours.get(name)
        return None if other is None or not other.parsed else adds_tensors(other)

    def streams(name: str) -> bool:
        return "streams" in model.neighbours.below(name).marks

    alone = model.directory is None
    return Edges(Wiring(model.config), find, adds, None if alone else streams)
