"""The inputs and outputs of a configuration, each by itself."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.backend import fills_gaps
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "duplicate_tensor",
    "missing_data_type",
    "missing_dims",
    "missing_tensor_name",
    "wrong_dim",
]


@rule("TK018", "missing-tensor-name", Severity.ERROR, "An input or output has no name")
def missing_tensor_name(model: Subject) -> Iterator[Found]:
    """
    Every input and output needs a name.

    Clients ask by it, and the backend finds the tensor of the model by it. Triton
    refuses a configuration in which one is missing.
    """
    for entry in model.entries:
        if not entry.name and not fills_gaps(model):
            yield Found(
                entry.path,
                message=f"{entry.label} has no name.",
                advice=f"Write the name that the model itself gives this {entry.side}.",
                triton=f"model {entry.side} must specify 'name' for {model.name}",
            )


@rule("TK019", "missing-data-type", Severity.ERROR, "An input or output has no data type")
def missing_data_type(model: Subject) -> Iterator[Found]:
    """
    Every input and output needs a data type.

    Triton completes a tensor's data type only together with all inputs or all outputs:
    one that is written in part is not completed by onnxruntime's backend.
    """
    # What is filled in without a type is the graph's fault, not the configuration's.
    written = {"input": len(model.given.input), "output": len(model.given.output)}
    for entry in model.entries:
        given = bool(entry.io.data_type) or entry.position >= written[entry.side]
        if entry.name and not given and not fills_gaps(model):
            yield Found(
                entry.path,
                message=f"{entry.label} has no data_type.",
                advice="Write the model's own, such as data_type: TYPE_FP32.",
                triton=f"model {entry.side} '{entry.name}' must specify 'data_type' "
                f"for {model.name}",
                tensor=entry.name,
            )


@rule("TK020", "missing-dims", Severity.ERROR, "An input or output has no dims")
def missing_dims(model: Subject) -> Iterator[Found]:
    """
    Every input and output needs dims: the size of each axis, -1 where it varies.

    The batch axis is not among them where max_batch_size is over 0. A value a row is
    `dims: [1]` with an empty reshape: `reshape { shape: [] }`.
    """
    for entry in model.entries:
        if entry.name and not entry.io.dims and not fills_gaps(model):
            yield Found(
                entry.path,
                message=f"{entry.label} has no dims.",
                advice="Write the sizes of its axes without the batch axis, -1 where one varies.",
                triton=f"model {entry.side} '{entry.name}' must specify 'dims' for {model.name}",
                tensor=entry.name,
            )


@rule("TK021", "wrong-dim", Severity.ERROR, "A size in dims is neither 1 or more nor -1")
def wrong_dim(model: Subject) -> Iterator[Found]:
    """
    A size in dims is 1 or more, or -1 for an axis whose size varies.

    0 is not a size, although a request may have an axis of 0 where dims say -1.
    """
    for entry in model.entries:
        for index, size in enumerate(entry.io.dims):
            if size < 1 and size != -1:
                yield Found(
                    (*entry.path, "dims", index),
                    message=f"Size {index} in dims of {entry.label} is {size}.",
                    advice="Write the size of the axis, 1 or more, or -1 where it varies.",
                    triton=f"model {entry.side} '{entry.name}' dimension must be integer >= 1, "
                    f"or -1 to indicate a variable-size dimension for {model.name}",
                    tensor=entry.name,
                    value=str(size),
                )


@rule("TK029", "duplicate-tensor", Severity.REQUEST, "Two inputs or two outputs of one name")
def duplicate_tensor(model: Subject) -> Iterator[Found]:
    """
    Names are unique among the inputs, and among the outputs.

    Triton keeps the first of two inputs that are called the same and still counts both, so
    that it takes every request for one that lacks an input. Of two outputs it keeps one.
    """
    first: dict[tuple[str, str], int] = {}
    inputs = sum(entry.side == "input" and not entry.optional for entry in model.entries)
    names = {entry.name for entry in model.entries if entry.side == "input"}
    for entry in model.entries:
        if not entry.name or (entry.side, entry.name) not in first:
            first[entry.side, entry.name] = entry.position
            continue
        yield Found(
            (*entry.path, "name"),
            message=f"{entry.side.capitalize()}s {first[entry.side, entry.name]} and "
            f"{entry.position} are both called '{entry.name}'.",
            advice="Leave one of them out, or give it the name of the tensor that is meant.",
            triton=f"expected {inputs} inputs but got {len(names)} inputs for model '{model.name}'"
            if entry.side == "input"
            else "",
            tensor=entry.name,
            value=entry.name,
        )
