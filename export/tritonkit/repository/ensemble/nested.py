"""Steps that call an ensemble for some of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tritonkit.repository.check.finding import Found
from tritonkit.repository.ensemble.pruning import is_answered
from tritonkit.repository.ensemble.wiring import Wiring

__all__ = ["unanswered_steps"]


def unanswered_steps(wiring: Wiring, find: Callable[[str], Wiring | None]) -> Iterator[Found]:
    """
    Steps that ask an ensemble for outputs which it does not answer without the others.

    Args:
        wiring: The ensemble that has the steps.
        find: A model by its name, which need not be an ensemble; None where it is not there.
    """
    for number, step in enumerate(wiring.steps):
        inner = find(str(step.model_name))
        if inner is None or not inner.steps or step.model_name == wiring.name:
            continue
        wanted = set(step.output_map) & inner.outputs
        if not inner.outputs <= inner.ready or is_answered(inner, wanted):
            continue
        others = ", ".join(repr(name) for name in sorted(inner.outputs - wanted))
        yield Found(
            ("ensemble_scheduling", "step", number, "output_map"),
            message=f"step {number} asks the ensemble {inner.name!r} for "
            f"{', '.join(repr(name) for name in sorted(wanted))} without {others}, which it "
            "does not answer.",
            advice=f"Call the models of {inner.name!r} themselves, or make {others} outputs of "
            "this ensemble.",
            triton=f"in ensemble '{wiring.name}', in ensemble '{inner.name}', [request id: "
            "<id_unknown>] unexpected deadlock, at least one output is not set while no more "
            "ensemble steps can be made",
            value=str(step.model_name),
        )
