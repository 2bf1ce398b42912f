"""Ensembles: where their tensors meet the models."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.edges import edges_of
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.ensemble.branches import joined_branches
from tritonkit.repository.ensemble.fit import (
    differing_shapes,
    differing_types,
    larger_batches,
    unknown_inputs,
    unknown_outputs,
    unmapped_inputs,
    wider_inputs,
)

__all__ = [
    "batch_above_model",
    "branches_joined",
    "cache_over_decoupled",
    "input_not_mapped",
    "input_wider_than_step",
    "shapes_differ",
    "shapes_fit_reshaped",
    "types_differ",
    "unknown_model_input",
    "unknown_model_output",
]


@rule("TK118", "unknown-model-input", Severity.ERROR, "A step maps an input its model lacks")
def unknown_model_input(model: Subject) -> Iterator[Found]:
    """
    The keys of an input_map are the inputs of the step's model, as its completed configuration
    has them; the values are tensors of the ensemble. Keys and values are often swapped.
    """
    yield from unknown_inputs(edges_of(model))


@rule("TK119", "unknown-model-output", Severity.ERROR, "A step maps an output its model lacks")
def unknown_model_output(model: Subject) -> Iterator[Found]:
    """
    The keys of an output_map are the outputs of the step's model, as its completed
    configuration has them; the values are tensors of the ensemble.
    """
    yield from unknown_outputs(edges_of(model))


@rule("TK120", "input-not-mapped", Severity.ERROR, "A step leaves out an input its model needs")
def input_not_mapped(model: Subject) -> Iterator[Found]:
    """
    Each input of a step's model must be mapped, but those that its configuration calls
    optional.
    """
    yield from unmapped_inputs(edges_of(model))


@rule("TK121", "types-differ", Severity.ERROR, "The ends of a tensor have different data types")
def types_differ(model: Subject) -> Iterator[Found]:
    """
    A tensor passes from step to step as it is. The data type must be the same in the model
    that writes it, in those that take it, and in the ensemble's own input or output.
    """
    yield from differing_types(edges_of(model))


@rule("TK122", "shapes-differ", Severity.ERROR, "The ends of a tensor have different shapes")
def shapes_differ(model: Subject) -> Iterator[Found]:
    """
    The dims of a tensor must be as many and as large in the model that writes it, in those
    that take it and in the ensemble's own input or output; -1 goes with any size. Where the
    dims differ, Triton compares the full shapes, in which a batching model has -1 for the
    batch axis: so [4] of a model that batches meets [-1, 4] of one that does not.
    """
    yield from differing_shapes(edges_of(model), by_reshape=False)


@rule(
    "TK125",
    "shapes-fit-reshaped",
    Severity.ERROR,
    "The ends of a tensor would fit if a model's reshape counted",
)
def shapes_fit_reshaped(model: Subject) -> Iterator[Found]:
    """
    A model's reshape is between Triton and its backend. Other steps meet the dims, before it
    for inputs and after it for outputs. In the ensemble's own inputs and outputs the reshape
    counts: it is what the steps get.
    """
    yield from differing_shapes(edges_of(model), by_reshape=True)


@rule(
    "TK123",
    "batch-above-model",
    Severity.ERROR,
    "An ensemble takes more rows at once than a model of it",
)
def batch_above_model(model: Subject) -> Iterator[Found]:
    """
    An ensemble hands a request to its models with all its rows. It may not allow more than
    the least that any of them allows; those without a batch axis do not count.
    """
    yield from larger_batches(edges_of(model))


@rule(
    "TK124",
    "branches-joined",
    Severity.ERROR,
    "A step takes what models answer that do not answer equally often",
)
def branches_joined(model: Subject) -> Iterator[Found]:
    """
    A decoupled model answers a request as often as it likes, and each answer runs the steps
    behind it once. Where tensors of two such models meet, or one of them and the request's
    own, Triton cannot tell which belong together. The same holds for the ensemble's outputs.
    """
    yield from joined_branches(edges_of(model))


@rule(
    "TK126",
    "cache-over-decoupled",
    Severity.ERROR,
    "An ensemble caches responses although a model of it is decoupled",
)
def cache_over_decoupled(model: Subject) -> Iterator[Found]:
    """
    An ensemble is decoupled if one of its models is, whatever its own configuration says. The
    response cache holds one response for a request, so that Triton refuses the two together.
    """
    edges = edges_of(model)
    if not model.config.response_cache.enable:
        return
    names = [name for _, name, _ in edges.calls if edges.decoupled(name)]
    if names and not model.given.model_transaction_policy.decoupled:
        yield Found(
            ("response_cache",),
            message=f"the ensemble caches responses, but its model {names[0]!r} is decoupled.",
            advice="Remove response_cache.",
            triton=f"Response Cache does not currently support model {model.name} with "
            "'decoupled' transaction policy. Please disable the response cache.",
            value="enable: true",
        )


@rule(
    "TK181",
    "input-wider-than-step",
    Severity.WARNING,
    "An ensemble promises to take shapes that a step of it does not take",
)
def input_wider_than_step(model: Subject) -> Iterator[Found]:
    """
    The dims of an ensemble's input tell clients what they may send. An axis of any size, -1,
    meets a fixed one of a model when Triton loads the ensemble; requests of other sizes then
    fail inside, with a message about a model that the client does not know.
    """
    yield from wider_inputs(edges_of(model))
