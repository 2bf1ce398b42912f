"""Versions that are served beside the newest, against the one configuration of the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import Rule, registered, rule
from tritonkit.repository.check.subject import Subject

__all__ = ["other_version"]

_FAMILIES = frozenset(
    {
        "data-types",
        "external-data",
        "graph-batching",
        "graph-names",
        "graph-shapes",
        "onnx-file",
        "ragged",
        "scalars",
        "sequence-graph",
    }
)
"""Those whose rules look at a graph."""


@rule("TK155", "other-version", Severity.ERROR, "A version that the configuration does not fit")
def other_version(model: Subject) -> Iterator[Found]:
    """
    All versions of a model that are served share its one configuration.

    The version policy says which those are; without one it is the newest alone. Where a graph
    changed its inputs or outputs, Triton refuses the versions that the configuration does not
    fit, and says that the model failed to load, although it serves the others. Give the changed
    graph a model of its own, or take the old version out of the policy.
    """
    if model.backend != "onnxruntime" or len(model.served) < 2:
        return
    asked = _rules()
    known = {(one.id, found) for one in asked for found in one.look(model)}
    for version in model.served[:-1]:
        other = model.at(version)
        for one in asked:
            for found in one.look(other):
                if (one.id, found) not in known:
                    yield replace(
                        found,
                        message=f"Version {version}: {found.message}",
                        advice=f"Take version {version} out of the version policy, or give it a "
                        "model of its own.",
                        fix=None,
                    )


def _rules() -> list[Rule]:
    return [
        one
        for one in registered()
        if one.family in _FAMILIES and one.severity is Severity.ERROR and one.id != "TK155"
    ]
