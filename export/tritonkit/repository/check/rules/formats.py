"""Formats of tensors: images, shape tensors, layouts of TensorRT."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "non_linear_format",
    "not_three_dims",
    "shape_tensor",
]


_LAYOUTS = {1: "FORMAT_NHWC", 2: "FORMAT_NCHW"}


@rule("TK026", "not-three-dims", Severity.ERROR, "An image format without three dims")
def not_three_dims(model: Subject) -> Iterator[Found]:
    """
    FORMAT_NHWC and FORMAT_NCHW say that an input is an image: channels, height and width.

    Its dims are these three, without the batch axis N.
    """
    for entry in model.entries:
        layout = _LAYOUTS.get(entry.io.format) if entry.side == "input" else None
        if layout and len(entry.io.dims) != 3:
            yield Found(
                (*entry.path, "dims"),
                message=f"{entry.label} has {layout} and "
                f"{len(entry.io.dims)} dims {list(entry.io.dims)}.",
                advice="Write three dims, channels, height and width in the format's order, "
                "or leave the format out.",
                triton=f"model input NHWC/NCHW require 3 dims for {model.name}",
                tensor=entry.name,
                value=str(list(entry.io.dims)),
            )


@rule("TK027", "shape-tensor", Severity.ERROR, "A shape tensor outside TensorRT")
def shape_tensor(model: Subject) -> Iterator[Found]:
    """
    is_shape_tensor marks a tensor whose values TensorRT takes for the shape of another.

    Other backends have no such tensors, and Triton refuses the word.
    """
    if model.config.platform == "tensorrt_plan":
        return
    for entry in model.entries:
        if entry.io.is_shape_tensor:
            yield Found(
                (*entry.path, "is_shape_tensor"),
                message=f"{entry.label} is a shape tensor, and the model is none of TensorRT.",
                advice="Leave is_shape_tensor out.",
                triton=f"shape tensors are only supported for TensorRT platform for {model.name}",
                tensor=entry.name,
                value="true",
            )


@rule(
    "TK028",
    "non-linear-format",
    Severity.ERROR,
    "A non-linear format outside TensorRT, or without three dims",
    since="24.09",
)
def non_linear_format(model: Subject) -> Iterator[Found]:
    """
    is_non_linear_format_io marks a tensor that TensorRT holds in a layout of its own.

    Only TensorRT's backend takes such tensors, and they have three dims.
    """
    tensorrt = model.config.platform == "tensorrt_plan"
    for entry in model.entries:
        if not entry.io.is_non_linear_format_io:
            continue
        if not tensorrt:
            yield Found(
                (*entry.path, "is_non_linear_format_io"),
                message=f"{entry.label} has a non-linear format, "
                f"and the model is none of TensorRT.",
                advice="Leave is_non_linear_format_io out.",
                triton="Non-linear IO format is only supported for the TensorRT platform "
                f"for {model.name}",
                tensor=entry.name,
                value="true",
            )
        elif len(entry.io.dims) != 3:
            yield Found(
                (*entry.path, "dims"),
                message=f"{entry.label} has a non-linear format and "
                f"{len(entry.io.dims)} dims {list(entry.io.dims)}.",
                advice="Write the three dims of the engine's tensor.",
                triton=f"Non-linear IO format {entry.side} requires 3 dims for {model.name}",
                tensor=entry.name,
                value=str(list(entry.io.dims)),
            )
