"""A configuration drafted from a graph, with a comment for each thing it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tritonkit.errors import RepositoryError
from tritonkit.repository.complete.filled import Place
from tritonkit.repository.complete.onnxruntime import fill_tensors
from tritonkit.repository.complete.render import render_noted
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.graph.batching import why_not_batchable
from tritonkit.repository.graph.graph import Graph
from tritonkit.repository.graph.tensor import GraphTensor
from tritonkit.repository.layout import check_model_name

__all__ = ["MAX_BATCH_SIZE", "Draft", "draft_config"]

MAX_BATCH_SIZE = 64
"""max_batch_size of a graph that can batch, as `tritonkit export` has it."""

_SCHEDULER = """\
Requests that wait while the model is busy become one batch. Nothing waits longer for
others to come: for that, set max_queue_delay_microseconds."""
_NO_SCHEDULER = """\
Without dynamic_batching each request runs by itself. Only requests of equal shape become one
batch, and {names} can be of any size here: once what you send is padded to a few
sizes, add the line
dynamic_batching {{ }}"""
_INSTANCES = """\
How many run at once: one on each GPU, or one on the CPU. Written because Triton's default on
a CPU is two, each with a thread for every core. KIND_CPU or KIND_GPU settles where."""


@dataclass(frozen=True, slots=True)
class Draft:
    """
    A configuration drafted from a graph.

    Args:
        config: What it says.
        text: The same as config.pbtxt, with comments.
        unknown: What the graph does not say and its author must look at, in sentences.
    """

    config: ModelConfig
    text: str
    unknown: tuple[str, ...]


def draft_config(
    graph: Graph, name: str, *, max_batch_size: int | None = None, file: str = "model.onnx"
) -> Draft:
    """
    Draft the configuration of an ONNX model, for the onnxruntime backend.

    Args:
        graph: What the model takes and gives.
        name: The model's name.
        max_batch_size: Most rows of one run; None for 64 where the graph can batch.
        file: Its name in a version folder.

    Raises:
        RepositoryError: If Triton cannot serve the graph, or it cannot batch and is to; the
            message names every tensor that stands in the way.
    """
    check_model_name(name)
    _check_served(graph)
    hindered = why_not_batchable(graph)
    if max_batch_size is None:
        max_batch_size = 0 if hindered else MAX_BATCH_SIZE
    if max_batch_size < 0:
        raise RepositoryError(f"max_batch_size is 0 or more, but got {max_batch_size}.")
    if max_batch_size and hindered:
        why = "; ".join(f"{side} {tensor.name!r} {reason}" for tensor, side, reason in hindered)
        raise RepositoryError(
            f"{graph.path} cannot batch: {why}. Leave max_batch_size at 0, or export the model "
            "with a variable first axis for every input and output."
        )
    if not (max_batch_size or hindered or graph.inputs):
        raise RepositoryError(
            f"{graph.path} has no inputs and can batch, so that Triton takes a max_batch_size of "
            "0 for one that is not given, and makes it 4. Give 1 or more."
        )
    config = ModelConfig(name=name, backend="onnxruntime", max_batch_size=max_batch_size)
    if file != "model.onnx":
        config.default_model_filename = file
    batches = max_batch_size > 0
    for field, tensors, side in (
        (config.input, graph.inputs, "input"),
        (config.output, graph.outputs, "output"),
    ):
        for _ in fill_tensors(field, tensors, batches, side):
            pass
    config.instance_group.add(count=1)
    open_inputs = [t.name for t in config.input if -1 in t.dims]
    if max_batch_size > 1 and not open_inputs:
        config.dynamic_batching.SetInParent()
    text = render_noted(
        config,
        above=dict(_above(graph, config, open_inputs)),
        beside=dict(_axes(graph, batches)),
    )
    return Draft(config, text, tuple(_unknown(graph)))


def _check_served(graph: Graph) -> None:
    problems = []
    for side, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        for tensor in tensors:
            if tensor.data_type is None:
                problems.append(f"{side} {tensor.name!r} is a {tensor.onnx_type}")
            elif 0 in (tensor.shape or ()):
                problems.append(f"{side} {tensor.name!r} has an axis of size 0")
    if not graph.outputs:
        problems.append("it has no output")
    if problems:
        zip_map = (
            " Export a scikit-learn model without ZipMap (zipmap=False)."
            if any(tensor.onnx_type.startswith("seq(map(") for tensor in graph.outputs)
            else ""
        )
        raise RepositoryError(
            f"Triton's onnxruntime backend cannot serve {graph.path}: {'; '.join(problems)}."
            f"{zip_map}"
        )


def _above(
    graph: Graph, config: ModelConfig, open_inputs: Sequence[str]
) -> Iterator[tuple[Place, str]]:
    file = config.default_model_filename or "model.onnx"
    made = f", made by {graph.producer}" if graph.producer else ""
    yield ("name",), f"Drafted from {graph.path.name}{made}. The name is the directory's."
    yield ("backend",), f"What runs it. It loads the file VERSION/{file}."
    yield ("max_batch_size",), _batching(graph, config.max_batch_size)
    if config.input:
        first = (
            "\nThe batch is the first axis, and does not stand in dims."
            if config.max_batch_size
            else ""
        )
        yield ("input",), f"What a request must hold. dims are sizes of axes, -1 any size.{first}"
    yield ("output",), "What comes back. A request may ask for some of them only."
    instances = _INSTANCES
    if config.max_batch_size > 1 and open_inputs:
        names = " and ".join(f"'{name}'" for name in open_inputs)
        instances += f"\n\n{_NO_SCHEDULER.format(names=names)}"
    yield ("instance_group",), instances
    yield ("dynamic_batching",), _SCHEDULER


def _batching(graph: Graph, size: int) -> str:
    if size:
        return "Most rows of one run. Raise it while memory and latency allow."
    hindered = why_not_batchable(graph)
    if not hindered:
        return "0: no batch axis, one request a run, dims are whole shapes. The graph could batch."
    why = "\n".join(f"{side} '{tensor.name}' {reason}." for tensor, side, reason in hindered[:4])
    more = f"\nSo it is with {len(hindered) - 4} more." if len(hindered) > 4 else ""
    return (
        f"0: the graph cannot batch. A run is one request, and dims are whole shapes.\n{why}{more}"
    )


def _axes(graph: Graph, batches: bool) -> Iterator[tuple[Place, str]]:
    """The names of variable axes, beside dims."""
    for side, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        for position, tensor in enumerate(tensors):
            note = _axes_of(tensor, batches)
            if note:
                yield (side, position, "dims"), note
            if batches and len(tensor.axes) == 1:
                yield (side, position, "reshape"), "one value a row: the graph has no such axis"


def _axes_of(tensor: GraphTensor, batches: bool) -> str:
    if tensor.shape is None:
        return "a guess: the graph does not give the shape"
    if not tensor.shape:
        return "a scalar"
    pairs = list(zip(tensor.shape, tensor.axes, strict=True))[int(batches) :]
    if not any(name for _, name in pairs):
        return ""
    return ", ".join(name or (str(size) if size >= 0 else "any") for size, name in pairs)


def _unknown(graph: Graph) -> Iterator[str]:
    for side, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        for tensor in tensors:
            if tensor.shape is None:
                yield (
                    f"The graph gives no shape for {side} {tensor.name!r}: its dims are a guess, "
                    "and no batching is possible."
                )
    for tensor in () if graph.inferred else graph.outputs:
        if -1 in (tensor.shape or ())[1:]:
            yield (
                f"Output {tensor.name!r} has open axes whose sizes may follow from the graph, and "
                "they cannot be told here (is the onnx library installed?). Triton wants the dims "
                "of outputs as onnxruntime infers them, and says so where they differ."
            )
    for tensor in graph.overridable:
        yield (
            f"Input {tensor.name!r} has a value in the graph and is left out. A model without "
            "batching can take it from a request, as an input with optional: true."
        )
    for data in graph.external_data:
        if data.found_bytes is None:
            yield f"The file of weights {data.location!r} is not beside {graph.path.name}."
        elif data.found_bytes < data.needed_bytes:
            yield (
                f"The file of weights {data.location!r} has {data.found_bytes} bytes, and the "
                f"graph needs {data.needed_bytes}."
            )
