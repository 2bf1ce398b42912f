"""Branches of an ensemble in which a model may answer more than once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tritonkit.repository.check.finding import Found
from tritonkit.repository.ensemble.edges import Edges

__all__ = ["joined_branches"]

_SINK = ""
"""Where all outputs of the ensemble come together; no tensor has this name."""


@dataclass(slots=True)
class _Node:
    """
    A tensor as Triton walks over it.

    Args:
        steps: The steps that write it.
        branch: What its values are counted by; 0 for those of the request itself.
    """

    steps: list[int] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    branch: int = 0
    visited: bool = False


def joined_branches(edges: Edges) -> Iterator[Found]:
    """Steps, and the outputs of the ensemble, that bring different branches together."""
    nodes = _nodes(edges)
    # One step's outputs are of one branch.
    branch_of: dict[int, int] = {}
    origin = {0: "the request itself"}
    told: set[int | None] = set()
    queue = [name for name in _inputs(edges) if name in nodes]
    for name in queue:
        nodes[name].visited = True
    for name in queue:
        for next_name in nodes[name].after:
            node = nodes[next_name]
            if node.visited or not all(nodes[before].visited for before in node.before):
                continue
            step = node.steps[-1] if node.steps else None
            branches = dict.fromkeys(nodes[before].branch for before in node.before)
            if len(branches) > 1 and step not in told:
                told.add(step)
                yield _found(edges, next_name, step, [origin[one] for one in branches])
            node.branch = branch_of.get(-1 if step is None else step, next(iter(branches)))
            if step is not None and step not in branch_of:
                model = str(edges.wiring.steps[step].model_name)
                if edges.decoupled(model):
                    node.branch = len(origin)
                    origin[node.branch] = f"step {step} ({model!r})"
                branch_of[step] = node.branch
            node.visited = True
            queue.append(next_name)


def _inputs(edges: Edges) -> list[str]:
    return list(dict.fromkeys(str(tensor.name) for tensor in edges.wiring.config.input))


def _nodes(edges: Edges) -> dict[str, _Node]:
    nodes = {name: _Node() for name in (*edges.wiring.tensors, *_inputs(edges), _SINK)}
    for output in dict.fromkeys(str(tensor.name) for tensor in edges.wiring.config.output):
        if output in nodes:
            nodes[_SINK].before.append(output)
            nodes[output].after.append(_SINK)
    for tensor, links in edges.wiring.written.items():
        for link in links:
            nodes[tensor].steps.append(link.step)
            for other in edges.wiring.links:
                if other.step == link.step and other.field == "input_map":
                    nodes[tensor].before.append(other.tensor)
                    nodes[other.tensor].after.append(tensor)
    return nodes


def _found(edges: Edges, tensor: str, step: int | None, origins: list[str]) -> Found:
    name = edges.wiring.name
    ends = () if step is None else edges.ends.get(tensor, ())
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
        tensor=tensor,
    )
