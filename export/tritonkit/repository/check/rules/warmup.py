"""Warm-up requests, which Triton answers for itself before it calls a model ready."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from tritonkit.repository.check.data_type import data_type_name, row_bytes, wire_name
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "warmup_batch_above_maximum",
    "warmup_file_missing",
    "warmup_file_too_small",
    "warmup_input_unlike_the_model",
    "warmup_never_runs",
    "warmup_of_no_size",
    "warmup_of_unknown_size",
    "warmup_without_data",
]

_REQUEST = "[request id: <id_unknown>] "


class _Input(NamedTuple):
    """An input of a warm-up request, and where it stands."""

    name: str
    given: Any
    path: tuple[str | int, ...]

    @property
    def sized(self) -> bool:
        return -1 not in self.given.dims


class _Request(NamedTuple):
    """A warm-up request, and where it stands."""

    given: Any
    path: tuple[str | int, ...]

    def inputs(self) -> Iterator[_Input]:
        for name, given in sorted(self.given.inputs.items()):
            yield _Input(name, given, (*self.path, "inputs", name))


def _requests(model: Subject) -> Iterator[_Request]:
    """Those that Triton sends: not those of batch size 0."""
    if model.is_ensemble:
        return
    for index, request in enumerate(model.given.model_warmup):
        if request.batch_size:
            yield _Request(request, ("model_warmup", index))


@rule("TK096", "warmup-of-unknown-size", Severity.ERROR, "a warm-up input of variable size")
def warmup_of_unknown_size(model: Subject) -> Iterator[Found]:
    """
    A warm-up request is a real request: every dimension of its inputs is a number.

    Its dims leave out the batch axis, as those of the model's inputs do.
    """
    for request in _requests(model):
        for tensor in request.inputs():
            if not tensor.sized:
                dims = ", ".join(map(str, tensor.given.dims))
                yield Found(
                    (*tensor.path, "dims"),
                    message=f"Warm-up input {tensor.name!r} has dims [{dims}].",
                    advice="Write the sizes of a typical request.",
                    triton="warmup setting expects all variable-size dimensions are specified "
                    f"for input '{tensor.name}'",
                    tensor=tensor.name,
                    value=f"[{dims}]",
                )


def _from_files(model: Subject) -> Iterator[tuple[_Input, str]]:
    """Each input whose data is in a file, and the file's name."""
    for request in _requests(model):
        for tensor in request.inputs():
            if tensor.given.WhichOneof("input_data_type") == "input_data_file" and tensor.sized:
                yield tensor, tensor.given.input_data_file


@rule("TK097", "warmup-file-too-small", Severity.ERROR, "a warm-up file with too few bytes")
def warmup_file_too_small(model: Subject) -> Iterator[Found]:
    """
    A warm-up file holds one row of an input: its elements in the order of C, no header.

    One of TYPE_STRING holds each string behind its length in 4 bytes. Triton's text lacks
    a space after the file's name.
    """
    if model.directory is None:
        return
    for tensor, name in _from_files(model):
        file = model.directory.path / "warmup" / name
        wanted = row_bytes(tensor.given.data_type, tensor.given.dims)
        held = file.stat().st_size if file.is_file() else wanted
        if held < wanted:
            yield Found(
                (*tensor.path, "input_data_file"),
                message=f"File {name!r} holds {held} bytes, and input {tensor.name!r} takes "
                f"{wanted}.",
                advice="Write one row of the input into it, every element.",
                triton=f"{_REQUEST}warmup setting expects {wanted} bytes, but the data provided "
                f"from {name}only has {held} bytes",
                tensor=tensor.name,
                value=name,
            )


@rule("TK165", "warmup-file-missing", Severity.ERROR, "a warm-up file that is not there")
def warmup_file_missing(model: Subject) -> Iterator[Found]:
    """
    Triton looks for input_data_file in the folder `warmup` of the model's folder.

    Where a folder has that name, the whole server ends when it loads the model.
    """
    if model.directory is None:
        return
    for tensor, name in _from_files(model):
        file = f"{model.directory.path}/warmup/{name}"
        if Path(file).is_file():
            continue
        ends = Path(file).is_dir()
        yield Found(
            (*tensor.path, "input_data_file"),
            message=f"{name!r} in the model's folder warmup is a folder: the server ends on it."
            if ends
            else f"There is no file {name!r} in the model's folder warmup.",
            advice="Put a file there, or use zero_data or random_data.",
            triton=""
            if ends
            else f"failed to open text file for read {file}: No such file or directory",
            tensor=tensor.name,
            value=name,
        )


@rule("TK169", "warmup-of-no-size", Severity.ERROR, "a warm-up input that no memory holds")
def warmup_of_no_size(model: Subject) -> Iterator[Found]:
    """
    Triton makes room for the zeros and random numbers of a warm-up request.

    Where they are more than any memory holds, the whole server ends.
    """
    for request in _requests(model):
        for tensor in request.inputs():
            given = tensor.given
            made = given.WhichOneof("input_data_type") in ("zero_data", "random_data")
            # Strings, and what is of no type, get four bytes an element.
            size = row_bytes(given.data_type, given.dims) or 4 * prod(given.dims)
            if made and tensor.sized and size > _LARGEST:
                yield Found(
                    (*tensor.path, "dims"),
                    message=f"Warm-up input {tensor.name!r} has dims {list(given.dims)}: {size:,} "
                    "bytes, on which the server ends.",
                    advice="Write the sizes of a typical request.",
                    tensor=tensor.name,
                    value=str(list(given.dims)),
                )


_LARGEST = 1 << 40
"""Bytes: above it no server has the memory."""


@rule("TK098", "warmup-without-data", Severity.ERROR, "a warm-up input without data")
def warmup_without_data(model: Subject) -> Iterator[Found]:
    """Each input of a warm-up request has zero_data, random_data or input_data_file."""
    for request in _requests(model):
        for tensor in request.inputs():
            if tensor.sized and not tensor.given.WhichOneof("input_data_type"):
                yield Found(
                    tensor.path,
                    message=f"Warm-up input {tensor.name!r} has no data.",
                    advice="Write zero_data: true, random_data: true or input_data_file.",
                    triton=f"{_REQUEST}warmup setting expects input '{tensor.name}' to have "
                    "input_data_type set",
                    tensor=tensor.name,
                )


@rule(
    "TK099",
    "warmup-input-unlike-the-model",
    Severity.ERROR,
    "a warm-up request that the model does not take",
)
def warmup_input_unlike_the_model(model: Subject) -> Iterator[Found]:
    """
    Triton takes a warm-up request as it takes any other: all inputs, of the right type and shape.

    One that the model cannot answer keeps it from loading.
    """
    inputs = {tensor.name: tensor for tensor in model.config.input}
    for request in _requests(model):
        given = {tensor.name: tensor for tensor in request.inputs()}
        missing = [
            name for name, tensor in inputs.items() if name not in given and not tensor.optional
        ]
        known = sorted(set(given) & set(inputs))
        if missing and len(known) < sum(not tensor.optional for tensor in inputs.values()):
            yield Found(
                request.path,
                message=f"Warm-up request {request.given.name!r} lacks input "
                f"{', '.join(map(repr, missing))}.",
                advice="Give it every input of the model that is not optional.",
                triton=_count_error(model, known, missing, inputs),
                tensor=missing[0],
            )
        for name in known:
            yield from _differences(model, given[name], inputs[name])


def _count_error(model: Subject, known: list[str], missing: list[str], inputs: Any) -> str:
    required = sum(not tensor.optional for tensor in inputs.values())
    wanted = (
        f"expected {len(inputs)} inputs"
        if required == len(inputs)
        else f"expected number of inputs between {required} and {len(inputs)}"
    )
    return (
        f"{_REQUEST}{wanted} but got {len(known)} inputs for model '{model.name}'. Got input(s) "
        f"[{','.join(map(repr, known))}], but missing required input(s) "
        f"[{','.join(map(repr, missing))}]. Please provide all required input(s)."
    )


def _differences(model: Subject, tensor: _Input, wanted: Any) -> Iterator[Found]:
    name, given = tensor.name, tensor.given
    if given.data_type != wanted.data_type:
        yield Found(
            (*tensor.path, "data_type"),
            message=f"Warm-up input {name!r} is {data_type_name(given.data_type)}, and the "
            f"model's is {data_type_name(wanted.data_type)}.",
            advice=f"Write data_type: {data_type_name(wanted.data_type)}.",
            triton=f"{_REQUEST}inference input '{name}' data-type is "
            f"'{wire_name(given.data_type)}', but model '{model.name}' expects "
            f"'{wire_name(wanted.data_type)}'",
            tensor=name,
            value=data_type_name(given.data_type),
        )
    fits = len(given.dims) == len(wanted.dims) and all(
        dim in (-1, size) for size, dim in zip(given.dims, wanted.dims, strict=True)
    )
    if tensor.sized and not fits:
        batched = model.config.max_batch_size > 0
        expected = [*([-1] if batched else []), *wanted.dims]
        got = [*([1] if batched else []), *given.dims]
        yield Found(
            (*tensor.path, "dims"),
            message=f"Warm-up input {name!r} has dims {list(given.dims)}, and the model's has "
            f"{list(wanted.dims)}.",
            advice="Write sizes that fit the model's dims, without the batch axis.",
            triton=f"{_REQUEST}unexpected shape for input '{name}' for model '{model.name}'. "
            f"Expected {_shape(expected)}, got {_shape(got)}. {_NOTE if batched else ''}",
            tensor=name,
            value=str(list(given.dims)),
        )


_NOTE = (
    "NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be "
    "prepended to each input shape. If you want to specify the full shape including the batch dim "
    "in your input dims config, try setting max_batch_size to zero. See the model configuration "
    "docs for more info on max_batch_size."
)


def _shape(dims: list[int]) -> str:
    return f"[{','.join(map(str, dims))}]"


@rule("TK166", "warmup-never-runs", Severity.WARNING, "a warm-up request of batch size 0")
def warmup_never_runs(model: Subject) -> Iterator[Found]:
    """
    Triton skips a warm-up request of batch size 0, which is what it is when left out.

    A model without a batch axis wants batch_size: 1 too.
    """
    for index, request in enumerate(model.given.model_warmup):
        if not request.batch_size and not model.is_ensemble:
            yield Found(
                ("model_warmup", index),
                message=f"Warm-up request {request.name!r} has batch_size 0: it never runs.",
                advice="Write batch_size: 1, or more where the model batches.",
                value="0",
            )


@rule(
    "TK167",
    "warmup-batch-above-maximum",
    Severity.ERROR,
    "a warm-up batch that the model does not take",
)
def warmup_batch_above_maximum(model: Subject) -> Iterator[Found]:
    """
    A warm-up request of batch_size N hands the backend N requests of one row at once.

    Backends refuse more rows than max_batch_size, and several requests at once where it
    is 0.
    """
    largest = model.config.max_batch_size
    if model.backend not in ("onnxruntime", "python", "pytorch", "tensorrt"):
        return
    groups = model.config.instance_group
    instance = f"{groups[0].name if groups else model.name}_0"
    for request in _requests(model):
        size = request.given.batch_size
        if size > max(largest, 1):
            yield Found(
                (*request.path, "batch_size"),
                message=f"Warm-up request {request.given.name!r} has batch_size {size}, and "
                f"max_batch_size is {largest}.",
                advice=f"Write a batch_size from 1 to {max(largest, 1)}.",
                triton=f"failed to run warmup sample '{request.given.name}': batch size {size} for "
                f"'{instance}', max allowed is {largest}",
                value=str(size),
            )
