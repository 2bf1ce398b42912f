"""Ragged inputs: rows of different sizes, put one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.entry import shape_text
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["ragged_input"]


@rule("TK051", "ragged-input", Severity.ERROR, "A ragged input that the graph does not take flat")
def ragged_input(model: Subject) -> Iterator[Found]:
    """
    Of an input with allow_ragged_batch the graph gets the rows one after the other, flat.

    So its shape in the graph is [-1], and it is not optional. Where a row begins the graph
    learns from a batch input.
    """
    for entry, tensor in model.pairs:
        if not entry.ragged:
            continue
        path = (*entry.path, "allow_ragged_batch")
        where = f"unable to load model '{model.name}', configuration expects model provides input"
        if entry.optional:
            yield Found(
                path,
                message=f"{entry.label} is ragged and optional.",
                advice="Leave optional out, or allow_ragged_batch.",
                triton=f"{where} with shape [-1] for ragged input '{entry.name}', which is not "
                "supported for optional input",
                tensor=entry.name,
                value="true",
            )
        elif tensor.shape != (-1,):
            yield Found(
                path,
                message=f"{entry.label} is ragged, and its shape in the graph is "
                f"{list(tensor.shape or ())}.",
                advice="Leave allow_ragged_batch out, or export a model that takes it as [-1].",
                triton=f"{where} with shape [-1]  for ragged input '{entry.name}', model provides "
                f"{shape_text(tensor.shape or ())}",
                tensor=entry.name,
                value="true",
            )
