"""Branches of an ensemble in which a model may answer more than once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tritonkit.repository.check.finding import Found
from tritonkit.repository.ensemble.edges import Edges

__all__ = ["joined_branches"]


def joined_branches(edges: Edges) -> Iterator[Found]:
    """Steps, and the outputs of the ensemble, that bring different branches together."""
    wiring = edges.wiring
    # By tensor that is there, its branch; 0 is the request itself.
    branch = dict.fromkeys((t for t in _names(wiring.config.input)), 0)
    origin = {0: "the request itself"}
    takes = {
        number: list(dict.fromkeys(one.tensor for one in links if one.field == "input_map"))
        for number, links in wiring.links_of.items()
    }
    left = {number: len(tensors) for number, tensors in takes.items()}
    queue = list(branch)
    for tensor in queue:
        for number in dict.fromkeys(link.step for link in wiring.read.get(tensor, ())):
            left[number] -= 1
            if left[number]:
                continue
            branches = list(dict.fromkeys(branch[taken] for taken in takes[number]))
            given = [one.tensor for one in wiring.links_of[number] if one.field == "output_map"]
            if len(branches) > 1:
                yield _found(edges, number, given, [origin[one] for one in branches])
            mine = branches[0]
            model = str(wiring.steps[number].model_name)
            if edges.decoupled(model):
                mine = len(origin)
                origin[mine] = f"step {number} ({model!r})"
            for name in given:
                if name not in branch:
                    branch[name] = mine
                    queue.append(name)
    outputs = _names(wiring.config.output)
    branches = list(dict.fromkeys(branch[name] for name in outputs if name in branch))
    if len(branches) > 1 and all(name in branch for name in outputs):
        yield _found(edges, None, [], [origin[one] for one in branches])


def _names(tensors: Any) -> list[str]:
    return list(dict.fromkeys(str(tensor.name) for tensor in tensors))


def _found(edges: Edges, step: int | None, given: list[str], origins: list[str]) -> Found:
    name = edges.wiring.name
    ends = edges.ends.get(given[0], ()) if given else ()
    who = (
        "the ensemble's outputs"
        if step is None
        else f"the inputs of step {step} ({edges.wiring.steps[step].model_name!r})"
    )
    # Triton names the model that it met the tensor in first.
    model = ends[0].model if ends else name
    return Found(
        ("output",) if step is None else ("ensemble_scheduling", "step", step),
        message=f"{who} come from {' and from '.join(origins)}, which do not answer equally often.",
        advice="Let one decoupled model be the origin of all of them: pass what else is needed "
        "through it.",
        triton=f"in ensemble {name}, step of model '{model}' receives inputs originated from "
        "different decoupled models",
        tensor=given[0] if given else "",
    )
