"""Warm-up requests, which Triton answers for itself before it calls a model ready."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tritonkit.repository.check.backend import chooses_batch_size
from tritonkit.repository.check.data_type import data_type_name, wire_name
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "REQUEST",
    "WarmupInput",
    "warmup_batch_above_maximum",
    "warmup_input_unknown",
    "warmup_input_unlike_the_model",
    "warmup_never_runs",
    "warmup_of_unknown_size",
    "warmup_requests",
]

REQUEST = "[request id: <id_unknown>] "
"""How an error of a request without an id begins."""


class WarmupInput(NamedTuple):
    """An input of a warm-up request, and where it stands."""

    name: str
    given: Any
    path: tuple[str | int, ...]

    @property
    def sized(self) -> bool:
        """Whether its dims are all sizes."""
        return -1 not in self.given.dims


class WarmupRequest(NamedTuple):
    """A warm-up request, and where it stands."""

    given: Any
    path: tuple[str | int, ...]

    def inputs(self) -> Iterator[WarmupInput]:
        for name, given in sorted(self.given.inputs.items()):
            yield WarmupInput(name, given, (*self.path, "inputs", name))


def warmup_requests(model: Subject) -> Iterator[WarmupRequest]:
    """Those that Triton sends: not those of batch size 0."""
    if model.is_ensemble:
        return
    for index, request in enumerate(model.given.model_warmup):
        if request.batch_size:
            yield WarmupRequest(request, ("model_warmup", index))


@rule("TK096", "warmup-of-unknown-size", Severity.ERROR, "a warm-up input of variable size")
def warmup_of_unknown_size(model: Subject) -> Iterator[Found]:
    """
    A warm-up request is a real request: every dimension of its inputs is a number.

    Its dims leave out the batch axis, as those of the model's inputs do.
    """
    for request in warmup_requests(model):
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
    for request in warmup_requests(model):
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
        f"{REQUEST}{wanted} but got {len(known)} inputs for model '{model.name}'. Got input(s) "
        f"[{','.join(map(repr, known))}], but missing required input(s) "
        f"[{','.join(map(repr, missing))}]. Please provide all required input(s)."
    )


def _differences(model: Subject, tensor: WarmupInput, wanted: Any) -> Iterator[Found]:
    name, given = tensor.name, tensor.given
    # What the configuration leaves out the backend may fill in.
    if wanted.data_type and given.data_type != wanted.data_type:
        yield Found(
            (*tensor.path, "data_type"),
            message=f"Warm-up input {name!r} is {data_type_name(given.data_type)}, and the "
            f"model's is {data_type_name(wanted.data_type)}.",
            advice=f"Write data_type: {data_type_name(wanted.data_type)}.",
            triton=f"{REQUEST}inference input '{name}' data-type is "
            f"'{wire_name(given.data_type)}', but model '{model.name}' expects "
            f"'{wire_name(wanted.data_type)}'",
            tensor=name,
            value=data_type_name(given.data_type),
        )
    fits = len(given.dims) == len(wanted.dims) and all(
        dim in (-1, size) for size, dim in zip(given.dims, wanted.dims, strict=True)
    )
    if tensor.sized and wanted.dims and not fits:
        batched = model.config.max_batch_size > 0
        expected = [*([-1] if batched else []), *wanted.dims]
        got = [*([1] if batched else []), *given.dims]
        yield Found(
            (*tensor.path, "dims"),
            message=f"Warm-up input {name!r} has dims {list(given.dims)}, and the model's has "
            f"{list(wanted.dims)}.",
            advice="Write sizes that fit the model's dims, without the batch axis.",
            triton=f"{REQUEST}unexpected shape for input '{name}' for model '{model.name}'. "
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
    is 0. The model does not load, and now and then the whole server ends with it.
    """
    largest = model.config.max_batch_size
    if model.backend not in ("onnxruntime", "python", "pytorch", "tensorrt"):
        return
    if chooses_batch_size(model):
        return
    groups = model.config.instance_group
    instance = f"{groups[0].name if groups else model.name}_0"
    for request in warmup_requests(model):
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


@rule("TK171", "warmup-input-unknown", Severity.ERROR, "a warm-up input that the graph lacks")
def warmup_input_unknown(model: Subject) -> Iterator[Found]:
    """
    Triton hands a warm-up input that the configuration does not name to the backend.

    So that control inputs of sequences can be warmed too. A graph that has no such input
    fails, and the model does not load.
    """
    if model.graph is None or model.backend != "onnxruntime":
        return
    graph = model.graph
    known = {tensor.name for tensor in (*graph.inputs, *graph.overridable)}
    for request in warmup_requests(model):
        for tensor in request.inputs():
            if tensor.name not in known:
                yield Found(
                    tensor.path,
                    message=f"The graph has no input {tensor.name!r}.",
                    advice=f"Use its inputs: {', '.join(sorted(known))}.",
                    triton=f"failed to run warmup sample '{request.given.name}': onnx runtime "
                    f"error 2: Invalid input name: {tensor.name}",
                    tensor=tensor.name,
                    value=tensor.name,
                )
