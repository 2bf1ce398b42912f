"""Ensembles: requests that want some of their outputs."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.ensemble.nested import unanswered_steps
from tritonkit.repository.ensemble.pruning import is_answered
from tritonkit.repository.ensemble.wiring import Wiring

__all__ = ["output_not_alone", "step_unanswered"]

_MOST = 100
"""How many outputs are looked at; each costs a walk through the ensemble."""


@rule(
    "TK184",
    "step-unanswered",
    Severity.REQUEST,
    "A step wants outputs of an ensemble that it does not answer alone",
)
def step_unanswered(model: Subject) -> Iterator[Found]:
    """
    A step asks its model for the outputs that it maps. Of an ensemble Triton then leaves out
    the steps that seem to make the other outputs only, and it may leave out too much: a step
    whose output is both an output of the ensemble and taken by a later step goes with that
    step. Such a request fails.
    """

    def find(name: str) -> Wiring | None:
        other = model.neighbours.get(name) if model.directory is not None else None
        return Wiring(other.config) if other is not None and other.parsed else None

    yield from unanswered_steps(Wiring(model.config), find)


@rule(
    "TK185",
    "output-not-alone",
    Severity.WARNING,
    "A client that asks for one output of the ensemble gets an error",
)
def output_not_alone(model: Subject) -> Iterator[Found]:
    """
    A request may ask for some of a model's outputs. Of an ensemble Triton then leaves out the
    steps that seem to make the others only, and it may leave out too much: a step whose output
    is both an output of the ensemble and taken by a later step goes with that step. Requests
    of all outputs are answered. An output of such a step that nothing else takes would keep it:
    let the model give the tensor twice, or leave one of the outputs out.
    """
    wiring = Wiring(model.config)
    names = list(dict.fromkeys(str(tensor.name) for tensor in model.config.output))
    if len(names) < 2 or not set(names) <= wiring.ready:
        return
    for index, tensor in enumerate(model.config.output[:_MOST]):
        if not is_answered(wiring, [tensor.name]):
            yield Found(
                ("output", index, "name"),
                message=f"a request of output {tensor.name!r} alone is not answered.",
                advice="Ask for all outputs, or leave those out that a later step takes.",
                tensor=str(tensor.name),
                value=str(tensor.name),
            )
