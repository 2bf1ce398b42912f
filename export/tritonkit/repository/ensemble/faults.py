"""Everything that Triton would refuse an ensemble for, or serve otherwise than it is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tritonkit.errors import RepositoryError
from tritonkit.repository.check.finding import Found
from tritonkit.repository.ensemble.branches import joined_branches
from tritonkit.repository.ensemble.edges import Edges
from tritonkit.repository.ensemble.fit import (
    differing_shapes,
    differing_types,
    larger_batches,
    unknown_inputs,
    unknown_outputs,
    unmapped_inputs,
    wider_inputs,
)
from tritonkit.repository.ensemble.flow import (
    idle_steps,
    unread_inputs,
    unread_tensors,
    unwritten_outputs,
    written_inputs,
    written_twice,
)
from tritonkit.repository.ensemble.wiring import Wiring

__all__ = ["edge_faults", "flow_faults", "refuse"]


def flow_faults(wiring: Wiring) -> Iterator[Found]:
    """What is wrong with the flow, whatever the models are."""
    if not wiring.steps:
        yield Found(("ensemble_scheduling",), "it has no step.", "Add a step for each model.")
        return
    yield from idle_steps(wiring)
    yield from written_twice(wiring)
    yield from written_inputs(wiring)
    yield from unread_inputs(wiring)
    yield from unwritten_outputs(wiring)
    yield from unread_tensors(wiring)


def edge_faults(edges: Edges) -> Iterator[Found]:
    """What is wrong between the ensemble and its models."""
    yield from unknown_inputs(edges)
    yield from unknown_outputs(edges)
    yield from unmapped_inputs(edges)
    yield from differing_types(edges)
    yield from differing_shapes(edges, by_reshape=False)
    yield from differing_shapes(edges, by_reshape=True)
    yield from larger_batches(edges)
    yield from wider_inputs(edges)
    yield from joined_branches(edges)


def refuse(name: str, faults: Sequence[Found]) -> None:
    """
    Raise what is wrong with an ensemble, if anything is.

    Raises:
        RepositoryError: With a line for each fault.
    """
    if faults:
        lines = [f"\n  {fault.message} {fault.advice}" for fault in faults]
        raise RepositoryError(f"ensemble {name!r} cannot be built:{''.join(lines)}")
