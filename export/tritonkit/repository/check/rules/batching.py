"""Batching: how many rows a model takes at once, and who gathers them."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["negative_max_batch_size"]


@rule("TK017", "negative-max-batch-size", Severity.ERROR, "max_batch_size is negative")
def negative_max_batch_size(model: Subject) -> Iterator[Found]:
    """A model takes up to max_batch_size rows at once; 0 says that it has no batch axis."""
    if model.config.max_batch_size < 0:
        yield Found(
            ("max_batch_size",),
            message=f"max_batch_size is {model.config.max_batch_size}.",
            advice="Write how many rows the model takes at once, or 0 where it has no batch axis.",
            triton=f"'max_batch_size' must be non-negative value for {model.name}",
            value=str(model.config.max_batch_size),
        )
