"""Scalars of a graph, which have no axes."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.entry import shape_text
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["scalar_dims", "scalar_in_batch"]


@rule("TK050", "scalar-dims", Severity.ERROR, "Dims of a scalar that are not all 1")
def scalar_dims(model: Subject) -> Iterator[Found]:
    """
    A scalar of the graph has no axes, and the configuration cannot say so: its dims are [1].

    To onnxruntime a tensor of unknown rank looks like a scalar; export it with a shape.
    """
    for entry, tensor in model.pairs:
        if tensor.shape or not tensor.is_tensor or entry.ragged:
            continue
        if tensor.shape is None and entry.side == "output":
            # onnxruntime may find one.
            continue
        for index, size in enumerate(entry.shape):
            if size != 1:
                what = "a scalar" if tensor.shape is not None else "of unknown shape"
                yield Found(
                    (*entry.shape_path, index),
                    message=f"Size {index} in dims of {entry.label} is {size}, and the graph's "
                    f"tensor is {what}.",
                    advice="Write dims: [1]."
                    if tensor.shape is not None
                    else "Export the model with a shape for it.",
                    triton=f"unable to load model '{model.name}', scalar tensor '{entry.name}', "
                    "should only provide 1 in the model configuration when the model doesn't "
                    "support batching. Model configuration provided: "
                    f"{shape_text(entry.shape)}.",
                    tensor=entry.name,
                    value=str(size),
                )


@rule("TK152", "scalar-in-batch", Severity.REQUEST, "A scalar in a model that batches")
def scalar_in_batch(model: Subject) -> Iterator[Found]:
    """
    A scalar of the graph has no batch axis, and Triton loads the model nevertheless.

    Of a scalar input NVIDIA's backend gives the graph one value, the first row's, for the whole
    batch. A scalar output cannot be cut into rows: a batch of more than one row fails.
    """
    if model.config.max_batch_size <= 0 or model.completed.error:
        return
    for entry, tensor in model.pairs:
        if tensor.shape == ():
            yield Found(
                entry.path,
                message=f"{entry.label} is a scalar in the graph, and max_batch_size "
                f"is {model.config.max_batch_size}.",
                advice="Export the model with one value a row for it, or write max_batch_size: 0 "
                "and the batch axis in dims.",
                tensor=entry.name,
            )
