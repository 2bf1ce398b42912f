"""Reshape: the shape that a model gets instead of the one that clients see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

from tritonkit.repository.check.backend import chooses_batch_size
from tritonkit.repository.check.entry import Entry
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["empty_reshape", "reshape_dim", "reshape_size", "reshape_wildcards"]


@rule("TK022", "reshape-dim", Severity.ERROR, "A size in a reshape is neither 1 or more nor -1")
def reshape_dim(model: Subject) -> Iterator[Found]:
    """A size in a reshape is 1 or more, or -1 for an axis whose size varies, as in dims."""
    for entry in _reshaped(model):
        for index, size in enumerate(entry.io.reshape.shape):
            if size < 1 and size != -1:
                yield Found(
                    (*entry.path, "reshape", "shape", index),
                    message=f"Size {index} in the reshape of {entry.label} is {size}.",
                    advice="Write the size of the axis, 1 or more, or -1 where it varies.",
                    triton=f"model {entry.side} '{entry.name}' reshape dimensions must be integer "
                    f">= 1, or -1 to indicate a variable-size dimension for {model.name}",
                    tensor=entry.name,
                    value=str(size),
                )


@rule("TK023", "empty-reshape", Severity.ERROR, "An empty reshape in a model that does not batch")
def empty_reshape(model: Subject) -> Iterator[Found]:
    """
    An empty reshape takes the last axis away: the model gets one value a row.

    Where max_batch_size is 0 there are no rows, and nothing would be left. A scalar of the
    model is `dims: [1]` without a reshape then.
    """
    if model.config.max_batch_size or chooses_batch_size(model):
        return
    for entry in _reshaped(model):
        if not entry.io.reshape.shape:
            yield Found(
                (*entry.path, "reshape"),
                message=f"The reshape of {entry.label} is empty, and max_batch_size is 0.",
                advice="Leave the reshape out: dims: [1] stands for a scalar.",
                triton=f"model {entry.side} '{entry.name}' cannot have empty reshape for "
                "non-batching model as scalar tensors are not supported "
                f"for {model.name}",
                tensor=entry.name,
            )


@rule("TK024", "reshape-size", Severity.ERROR, "Dims and reshape hold different numbers of values")
def reshape_size(model: Subject) -> Iterator[Found]:
    """
    A reshape moves no values: dims and reshape hold the same number of them.

    Where sizes vary, the axes between two that vary are compared: [2, 4, -1, 6] may become
    [8, -1, 1, 6]. An empty reshape stands for one value, so dims are [1] then.
    """
    for entry in _reshaped(model):
        dims, shape = tuple(entry.io.dims), tuple(entry.io.reshape.shape)
        if not dims or not _sizes(dims) or not _sizes(shape):
            continue
        if -1 in dims and -1 in shape:
            wrong = dims.count(-1) == shape.count(-1) and _pieces(dims) != _pieces(shape)
        else:
            wrong = -1 in dims or -1 in shape or prod(dims) != prod(shape)
        if wrong:
            yield Found(
                (*entry.path, "reshape"),
                message=f"Dims {list(dims)} and reshape {list(shape)} of {entry.label} hold "
                "different numbers of values.",
                advice="Write a reshape whose sizes before, between and after those that vary hold "
                "as many values as those of dims."
                if -1 in dims and -1 in shape
                else "Write a reshape that holds as many values as dims do.",
                triton=f"model {entry.side} '{entry.name}' has different size for dims and "
                f"reshape for {model.name}",
                tensor=entry.name,
                value=str(list(shape)),
            )


@rule("TK025", "reshape-wildcards", Severity.ERROR, "A reshape with more or fewer sizes that vary")
def reshape_wildcards(model: Subject) -> Iterator[Found]:
    """
    Each axis of dims that varies is one of the reshape that varies, and the other way.

    Triton could not tell otherwise which size of the request goes where.
    """
    for entry in _reshaped(model):
        dims, shape = tuple(entry.io.dims), tuple(entry.io.reshape.shape)
        given, made = dims.count(-1), shape.count(-1)
        if given and made and given != made:
            yield Found(
                (*entry.path, "reshape"),
                message=f"Dims {list(dims)} of {entry.label} have {given} sizes that vary, and "
                f"reshape {list(shape)} has {made}.",
                advice="Write a reshape with one -1 for each of dims.",
                triton=f"model {entry.side} '{entry.name}' has different number of variable-size "
                f"dimensions for dims and reshape for {model.name}",
                tensor=entry.name,
                value=str(list(shape)),
            )


def _reshaped(model: Subject) -> Iterator[Entry]:
    return (entry for entry in model.entries if entry.io.HasField("reshape"))


def _sizes(shape: Iterable[int]) -> bool:
    """Whether each is one; what is none has a rule of its own."""
    return all(size >= 1 or size == -1 for size in shape)


def _pieces(shape: Iterable[int]) -> list[int]:
    """The number of values between the sizes that vary."""
    pieces = [1]
    for size in shape:
        if size == -1:
            pieces.append(1)
        else:
            pieces[-1] *= size
    return pieces
