"""Names in the configuration against those of the graph."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from tritonkit.repository.check.entry import Entry
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["input_count", "unknown_input", "unknown_output"]

_CONTROLS = 4
"""CONTROL_SEQUENCE_START, READY, END and CORRID, which are 0 to 3, are inputs of the graph."""


@rule("TK045", "input-count", Severity.ERROR, "More or fewer inputs than the graph has")
def input_count(model: Subject) -> Iterator[Found]:
    """
    The inputs in the configuration are those of the graph, all of them.

    An initialiser that is an input too may be left out or be optional; every other input of
    the graph has to be there, and none of them is optional. Batch inputs, controls and states
    of the sequence batcher are inputs of the graph that Triton fills itself, and count too.
    """
    graph = model.graph
    if graph is None or model.completed.error:
        return
    filled = _filled_by_triton(model)
    inputs = [entry for entry in model.entries if entry.side == "input"]
    expected = sum(not entry.optional for entry in inputs) + filled
    if expected == len(graph.inputs):
        return
    required = {tensor.name for tensor in graph.inputs}
    given = {entry.name for entry in inputs}
    missing = sorted(required - given) if not filled else []
    optional = [entry.name for entry in inputs if entry.optional and entry.name in required]
    extra = [entry.name for entry in inputs if entry.name not in required and not entry.optional]
    wrong = [
        f"{what} {', '.join(map(repr, names))}"
        for what, names in (
            ("it leaves out", missing),
            ("it has as optional", optional),
            ("it has besides", extra),
        )
        if names
    ]
    first = next((entry.path for entry in inputs if entry.name in (*optional, *extra)), ("input",))
    yield Found(
        first,
        message=f"The configuration has {expected} inputs, and the graph {len(graph.inputs)}"
        f"{': ' if wrong else ''}{'; '.join(wrong)}.",
        advice="Write each input of the graph once, and no other: "
        f"{', '.join(tensor.name for tensor in graph.inputs) or 'it has none'}.",
        triton=f"unable to load model '{model.name}', configuration expects {expected} inputs, "
        f"model provides {len(graph.inputs)}",
        value=str(expected),
    )


@rule("TK046", "unknown-input", Severity.ERROR, "An input that the graph does not have")
def unknown_input(model: Subject) -> Iterator[Found]:
    """
    An input in the configuration has the name of an input of the graph.

    Case counts. Where two inputs are unlike in name and type, the order does not help:
    onnxruntime's backend goes by names alone.
    """
    if model.graph is not None:
        known = [tensor.name for tensor in (*model.graph.inputs, *model.graph.overridable)]
        yield from _unknown(model, "input", known)


@rule("TK047", "unknown-output", Severity.ERROR, "An output that the graph does not have")
def unknown_output(model: Subject) -> Iterator[Found]:
    """
    An output in the configuration has the name of an output of the graph.

    The configuration may leave outputs of the graph out, and clients cannot ask for them then.
    """
    if model.graph is not None:
        yield from _unknown(model, "output", [tensor.name for tensor in model.graph.outputs])


def _unknown(model: Subject, side: str, known: list[str]) -> Iterator[Found]:
    entries = [entry for entry in model.entries if entry.side == side and entry.name]
    names, given = set(known), {entry.name for entry in entries}
    left = [name for name in known if name not in given]
    for entry in entries:
        if entry.name in names:
            continue
        meant = _meant(entry, entries, known)
        close = [meant] if meant else get_close_matches(entry.name, left, n=1)
        allowed = ", ".join(sorted(known))
        yield Found(
            (*entry.path, "name"),
            message=f"The graph has no {side} '{entry.name}'.",
            advice=_advice(side, left, close),
            triton=f"unexpected inference {side} '{entry.name}', allowed {side}s are: {allowed}",
            tensor=entry.name,
            value=entry.name,
        )


def _advice(side: str, left: list[str], close: list[str]) -> str:
    if close:
        return f"Write '{close[0]}'."
    if not left:
        return f"Leave it out: the {side}s of the graph are all there."
    return f"Write one of the graph's that are not there yet: {', '.join(sorted(left))}."


def _meant(entry: Entry, entries: list[Entry], known: list[str]) -> str:
    """The one name that may be meant: alike but for case, or the only one left; "" for none."""
    given = {other.name for other in entries}
    left = [name for name in known if name not in given]
    alike = [name for name in left if name.casefold() == entry.name.casefold()]
    if len(alike) == 1:
        return alike[0]
    wrong = [other for other in entries if other.name not in known]
    return left[0] if len(left) == 1 and len(wrong) == 1 else ""


def _filled_by_triton(model: Subject) -> int:
    batching = model.config.sequence_batching
    kinds = {
        control.kind
        for tensor in batching.control_input
        for control in tensor.control
        if control.kind < _CONTROLS
    }
    return len(kinds) + len(batching.state) + len(model.config.batch_input)
