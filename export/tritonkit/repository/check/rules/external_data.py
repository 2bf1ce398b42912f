"""Files that hold the weights of a graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["external_data", "external_data_outside", "external_data_refused_later"]


@rule("TK059", "external-data", Severity.ERROR, "A file of weights is missing or too short")
def external_data(model: Subject) -> Iterator[Found]:
    """
    A graph may keep its weights in files beside it, which ONNX calls external data.

    Their names in the file are relative to its own folder. They have to be copied with it and
    keep their names: `model.onnx` and `model.onnx.data` into the version's folder, or both
    into a folder called `model.onnx` in it.
    """
    if model.graph is None:
        return
    for data in model.graph.external_data:
        if not data.location:
            told, advice = (
                "has no name in the graph",
                "Export the model again, with its weights, into",
            )
        elif data.found_bytes is None:
            told, advice = "is not there", "Copy it beside the model file, into"
        elif data.found_bytes < data.needed_bytes:
            told = f"has {data.found_bytes} bytes, and the graph reads {data.needed_bytes}"
            advice = "Copy the whole file that was written with the graph, into"
        else:
            continue
        yield Found(
            (),
            message=f"The file of weights '{data.location}' {told}.",
            advice=f"{advice} {model.graph.path.parent}.",
            value=data.location,
            file=model.graph.path,
        )


@rule(
    "TK158",
    "external-data-outside",
    Severity.ERROR,
    "A file of weights outside the folder of the model file",
    since="26.05",
)
def external_data_outside(model: Subject) -> Iterator[Found]:
    """
    Weights are read from the folder of the model file, and from no other.

    onnxruntime refuses a graph that names a file with .. or a path from the root, and one whose
    file is a symbolic link that leads out of the folder; links are followed before it looks.
    Where the model file is a link too, the folder that it leads to will do. It has been so
    since onnxruntime 1.24, which Triton 26.05 carries, and the embedded server a newer one.
    """
    yield from _outside(model)


@rule(
    "TK159",
    "external-data-refused-later",
    Severity.WARNING,
    "A file of weights that newer servers refuse",
    until="26.05",
)
def external_data_refused_later(model: Subject) -> Iterator[Found]:
    """
    A graph whose weights are outside its folder loads here, and not in newer servers.

    See TK158. The embedded server has a newer onnxruntime than the container of its release, and
    refuses such a graph as well.
    """
    yield from _outside(model)


def _outside(model: Subject) -> Iterator[Found]:
    graph = model.graph
    if graph is None or not any(data.location for data in graph.external_data):
        return
    folders = {graph.path.parent.resolve(), graph.path.resolve().parent}
    for data in graph.external_data:
        if data.found_bytes is None:
            continue
        target = (graph.path.parent / data.location).resolve()
        absolute = PurePosixPath(data.location).is_absolute()
        if absolute or not folders.intersection(target.parents):
            yield Found(
                (),
                message=f"The file of weights '{data.location}' is {target}, outside the folder "
                "of the model file."
                if not absolute
                else f"The file of weights '{data.location}' is named by a path from the root.",
                advice=f"Copy it into {graph.path.parent}, and name it there in the graph.",
                value=data.location,
                file=graph.path,
            )
