"""Data types: what the backend takes, and what the graph has."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.backend import DATA_TYPES, ONNX_BF16_SINCE
from tritonkit.repository.check.data_type import data_type_name
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "data_type_differs",
    "data_type_of_another_backend",
]


@rule(
    "TK033",
    "data-type-of-another-backend",
    Severity.ERROR,
    "A data type that the backend does not take",
)
def data_type_of_another_backend(model: Subject) -> Iterator[Found]:
    """
    Each backend takes its own choice of Triton's data types.

    onnxruntime's takes all but TYPE_BF16, PyTorch's no unsigned ones but TYPE_UINT8,
    TensorRT's neither TYPE_FP64 nor TYPE_STRING nor 16-bit integers. Triton's guide of the
    model configuration has the table.
    """
    taken = DATA_TYPES.get(model.backend)
    if taken is None:
        return
    if model.backend == "onnxruntime" and model.target.release >= ONNX_BF16_SINCE:
        taken |= {"TYPE_BF16"}
    for entry in model.entries:
        data_type = data_type_name(entry.io.data_type)
        if not entry.io.data_type or data_type in taken:
            continue
        yield Found(
            (*entry.path, "data_type"),
            message=f"{entry.label} is of {data_type}, which the {model.backend} "
            "backend does not take.",
            advice="Write the type that the model has; where that is the type, convert the model "
            f"to one of {', '.join(sorted(taken))}.",
            triton=f"unsupported datatype {data_type} for {entry.side} '{entry.name}' for model "
            f"'{model.name}'"
            if model.backend != "tensorrt"
            else "",
            tensor=entry.name,
            value=data_type,
        )


@rule("TK049", "data-type-differs", Severity.ERROR, "A data type is another than the graph's")
def data_type_differs(model: Subject) -> Iterator[Found]:
    """
    Triton converts nothing: the data type of an input or output is that of the graph's tensor.

    Clients send exactly this type, and the bytes go to the graph as they are.
    """
    taken = DATA_TYPES["onnxruntime"]
    for entry, tensor in model.pairs:
        data_type = data_type_name(entry.io.data_type)
        if data_type not in taken or data_type == tensor.data_type or not tensor.is_tensor:
            continue
        # Triton's name of strings is BYTES, and <invalid> that of what it does not take.
        provided = (tensor.data_type or "TYPE_<invalid>").replace("STRING", "BYTES")
        yield Found(
            (*entry.path, "data_type"),
            message=f"{entry.label} is of {data_type}, and "
            f"{tensor.data_type or tensor.onnx_type} in the graph.",
            advice=f"Write data_type: {tensor.data_type}."
            if tensor.data_type
            else "Export the model with a type that Triton takes.",
            triton=f"unable to load model '{model.name}', configuration expects datatype "
            f"{data_type} for {entry.side} '{entry.name}', model provides {provided}",
            tensor=entry.name,
            value=data_type,
        )
