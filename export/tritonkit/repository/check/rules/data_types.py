"""Data types: what the backend takes, and what the graph has."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.backend import DATA_TYPES
from tritonkit.repository.check.data_type import data_type_name
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
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
    for entry in model.entries:
        data_type = data_type_name(entry.io.data_type)
        if not entry.io.data_type or data_type in taken:
            continue
        yield Found(
            (*entry.path, "data_type"),
            message=f"{entry.label.capitalize()} is of {data_type}, which the {model.backend} "
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
