"""Batching in the configuration, and whether the graph can."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.entry import shape_text
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.pair import shapes_compared
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.complete.filled import Filled
from tritonkit.repository.graph.batching import why_not_batchable

__all__ = [
    "batch_size_chosen",
    "graph_cannot_batch",
]

_CHOSEN = Filled(("max_batch_size",), "onnxruntime")


@rule(
    "TK040", "graph-cannot-batch", Severity.ERROR, "max_batch_size, and a graph that cannot batch"
)
def graph_cannot_batch(model: Subject) -> Iterator[Found]:
    """
    A model batches where the first axis of each input and output varies.

    That is so for outputs too: Triton cuts them into rows by it. A graph whose first axis is
    fixed was exported with the example's size; export it with a first axis that varies, or
    write max_batch_size: 0 and the fixed size as the first of dims.
    """
    graph, size = model.graph, model.config.max_batch_size
    if graph is None or size <= 0:
        return
    whole = "Export the model with a first axis that varies in all inputs and outputs, or write "
    if model.completed.error.startswith("autofill failed"):
        wrong = why_not_batchable(graph)
        if not graph.inferred and all(o.side == "output" and o.tensor.shape is None for o in wrong):
            # onnxruntime may find the shapes of these.
            return
        told = "; ".join(f"{one.side} '{one.tensor.name}' {one.reason}" for one in wrong)
        yield Found(
            ("max_batch_size",),
            message=f"max_batch_size is {size}, and the graph cannot batch: {told}.",
            advice=f"{whole}max_batch_size: 0 and all axes in dims.",
            triton=model.completed.error,
            tensor=wrong[0].tensor.name if wrong else "",
            value=str(size),
        )
        return
    for entry, tensor in shapes_compared(model.pairs, model.config):
        if tensor.shape and tensor.shape[0] != -1:
            yield Found(
                ("max_batch_size",),
                message=f"max_batch_size is {size}, and the graph cannot batch: {entry.label} "
                f"{tensor.first_axis_problem}.",
                advice=f"{whole}max_batch_size: 0 and dims: {list(tensor.shape)} here.",
                triton=f"model '{model.name}', tensor '{entry.name}': for the model to support "
                "batching the shape should have at least 1 dimension and the first dimension must "
                f"be -1; but shape expected by the model is {shape_text(tensor.shape)}",
                tensor=entry.name,
                value=str(size),
            )


@rule("TK063", "batch-size-chosen", Severity.WARNING, "Triton chooses max_batch_size itself")
def batch_size_chosen(model: Subject) -> Iterator[Found]:
    """
    Where inputs or outputs are left out, Triton completes them, and max_batch_size with them.

    A model that can batch gets a max_batch_size of 4 and the dynamic batcher, and its requests
    need a batch axis from then on. A max_batch_size: 0 that is written counts as none. The
    server's --backend-config=onnxruntime,default-max-batch-size=0 keeps it from that.
    """
    if _CHOSEN not in model.completed.filled:
        return
    size = model.config.max_batch_size
    written = model.document is not None and model.document.has("max_batch_size")
    yield Found(
        ("max_batch_size",),
        message=f"max_batch_size {'is 0, which counts as none' if written else 'is not given'}, "
        f"and Triton makes it {size}.",
        advice=f"Write max_batch_size: {size}, or as many rows as the model shall take at once, or "
        "write all inputs and outputs for a model that does not batch.",
        triton=" ".join(model.completed.warnings[:1]),
        value=str(size),
    )
