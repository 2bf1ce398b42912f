"""Shapes in the configuration against those of the graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tritonkit.repository.check.entry import Entry, shape_text
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.pair import shapes_compared
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "batch_axis_after_completion",
    "batch_axis_in_dims",
    "fixed_size_differs",
    "fixed_size_varies",
    "output_narrowed",
    "output_size_unsure",
    "rank_differs",
]


class _Shapes(NamedTuple):
    """
    What is compared of one tensor.

    Args:
        entry: The input or output.
        graph: The shape in the graph, the batch axis included; not of a scalar.
        config: The shape in the configuration, as the graph would see it.
        batches: Whether a batch axis was put before what the configuration has.
    """

    entry: Entry
    graph: tuple[int, ...]
    config: tuple[int, ...]
    batches: bool

    @property
    def offset(self) -> int:
        """Where the configuration's own sizes begin."""
        return 1 if self.batches else 0

    @property
    def own(self) -> tuple[int, ...]:
        """What the configuration has itself."""
        return self.config[self.offset :]

    def triton(self, model: str) -> str:
        """What Triton says where they differ."""
        specified = (
            "an initial batch dimension because max_batch_size > 0 followed by the explicit "
            f"tensor shape, making complete shape {shape_text(self.config)}"
            if self.batches
            else f"shape {shape_text(self.config)}"
        )
        return (
            f"model '{model}', tensor '{self.entry.name}': the model expects {len(self.graph)} "
            f"dimensions (shape {shape_text(self.graph)}) but the model configuration specifies "
            f"{len(self.config)} dimensions ({specified})"
        )

    def fits(self, config: tuple[int, ...]) -> bool:
        """Whether Triton would take *config* for the graph's shape."""
        return len(config) == len(self.graph) and all(
            have == want or (want == -1 and self.entry.side == "input")
            for have, want in zip(config, self.graph, strict=True)
        )


@rule("TK032", "batch-axis-in-dims", Severity.ERROR, "Dims hold the batch axis, which Triton adds")
def batch_axis_in_dims(model: Subject) -> Iterator[Found]:
    """
    Where max_batch_size is over 0, Triton puts the batch axis before the dims itself.

    Dims begin with the axis after it: for a graph's input of shape [-1, 16] they are [16].
    """
    if not model.given.max_batch_size:
        return
    for shapes in _compared(model):
        if _holds_batch_axis(shapes):
            yield _extra_axis(
                model, shapes, f"Write dims: {list(shapes.own[1:])}, without the batch axis."
            )


@rule("TK041", "rank-differs", Severity.ERROR, "More or fewer dims than the graph has")
def rank_differs(model: Subject) -> Iterator[Found]:
    """
    Dims have one size for each axis of the graph's tensor.

    Where max_batch_size is over 0 the batch axis, the first of the graph, is not among them;
    where it is 0 it is.
    """
    for shapes in _compared(model):
        if len(shapes.config) == len(shapes.graph) or _holds_batch_axis(shapes):
            continue
        own = list(shapes.graph[shapes.offset :])
        lacks_batch_axis = not shapes.batches and shapes.fits((-1, *shapes.config))
        yield Found(
            shapes.entry.shape_path,
            message=f"{shapes.entry.label} has {len(shapes.own)} dims "
            f"{list(shapes.own)}, and the graph's tensor has shape {list(shapes.graph)}.",
            advice=f"Write dims: {own}, or a max_batch_size over 0, which adds the batch axis."
            if lacks_batch_axis and model.graph is not None and model.graph.batchable
            else f"Write dims: {own}.",
            triton=shapes.triton(model.name),
            tensor=shapes.entry.name,
            value=str(list(shapes.own)),
        )


@rule("TK042", "fixed-size-differs", Severity.ERROR, "A size is another than the graph's")
def fixed_size_differs(model: Subject) -> Iterator[Found]:
    """An axis that has a fixed size in the graph has the same size in dims."""
    for shapes in _compared(model):
        for index, size, want in _differing(shapes):
            if want != -1 and size != -1:
                yield _wrong_size(
                    model, shapes, index, f"is {size}, and {want} in the graph", f"Write {want}."
                )


@rule("TK043", "fixed-size-varies", Severity.ERROR, "A size varies, and is fixed in the graph")
def fixed_size_varies(model: Subject) -> Iterator[Found]:
    """
    An axis that has a fixed size in the graph does not vary in dims.

    Triton takes dims for a promise to clients: what it would accept, the graph would refuse.
    """
    for shapes in _compared(model):
        for index, size, want in _differing(shapes):
            if want != -1 and size == -1:
                yield _wrong_size(
                    model,
                    shapes,
                    index,
                    f"varies, and is fixed to {want} in the graph",
                    f"Write {want}, or export the model with an axis that varies.",
                )


@rule("TK044", "output-narrowed", Severity.ERROR, "A size of an output is fixed, and varies in it")
def output_narrowed(model: Subject) -> Iterator[Found]:
    """
    An axis of an output that varies in the graph is -1 in dims.

    An input may be narrowed, because Triton refuses requests of any other size then. What an
    output will be it cannot know. Where the graph leaves an axis open whose size follows from
    its operators, onnxruntime finds the size, and dims have to have it. Where that cannot be
    told, without the onnx library or behind an operator that it does not know, TK154 warns.
    """
    if model.graph is None or not model.graph.inferred:
        return
    for shapes in _compared(model):
        for index, size, want in _differing(shapes):
            if want == -1:
                yield _wrong_size(
                    model, shapes, index, f"is {size}, and varies in the graph", "Write -1."
                )


@rule("TK154", "output-size-unsure", Severity.WARNING, "A size that the graph leaves open")
def output_size_unsure(model: Subject) -> Iterator[Found]:
    """
    An axis of an output that the file leaves open, and the configuration does not.

    onnxruntime finds the size of such an axis where it follows from the operators. Triton
    refuses the model where it does not find it, or finds another. The check finds sizes as
    onnxruntime does where onnx is installed, but not through operators that are no part of ONNX.
    An output without any shape is such a one too; if onnxruntime finds none it takes it for a
    scalar.
    """
    if model.graph is None or model.graph.inferred:
        return
    for shapes in _compared(model):
        for index, size, want in _differing(shapes):
            if want == -1:
                yield _wrong_size(
                    model,
                    shapes,
                    index,
                    f"is {size}, and open in the graph",
                    "Export the model with the size, or write -1 if it varies.",
                )
    for entry, tensor in shapes_compared(model.pairs, model.config):
        if entry.side == "output" and tensor.is_tensor and tensor.shape is None:
            yield Found(
                entry.shape_path,
                message=f"{entry.label} has no shape in the graph.",
                advice="Export the model with a shape for it.",
                tensor=entry.name,
                value=str(list(entry.shape)),
            )


@rule(
    "TK064",
    "batch-axis-after-completion",
    Severity.ERROR,
    "Dims hold the batch axis, and Triton makes the model batch",
)
def batch_axis_after_completion(model: Subject) -> Iterator[Found]:
    """
    Where only inputs or only outputs are given, Triton completes the rest, and more than it.

    It gives a model that can batch a max_batch_size of its own, and then puts the batch axis
    before the dims that are given. Those that hold it already have one axis too many. Where
    both are given it completes nothing, and max_batch_size stays 0.
    """
    if model.given.max_batch_size:
        return
    for shapes in _compared(model):
        if _holds_batch_axis(shapes):
            yield _extra_axis(
                model,
                shapes,
                f"Write max_batch_size and dims: {list(shapes.own[1:])}, or write all inputs and "
                "outputs.",
            )


def _compared(model: Subject) -> Iterator[_Shapes]:
    """The tensors of which Triton compares shapes."""
    size = model.config.max_batch_size
    for entry, tensor in shapes_compared(model.pairs, model.config):
        if not tensor.shape or not (entry.io.dims or entry.io.HasField("reshape")):
            continue
        # What cannot batch has a rule of its own.
        if size <= 0 or tensor.shape[0] == -1:
            before = (-1,) if size > 0 else ()
            yield _Shapes(entry, tensor.shape, (*before, *entry.shape), size > 0)


def _holds_batch_axis(shapes: _Shapes) -> bool:
    return (
        shapes.batches
        and len(shapes.own) == len(shapes.graph)
        and not shapes.entry.io.HasField("reshape")
        and shapes.fits((-1, *shapes.own[1:]))
    )


def _extra_axis(model: Subject, shapes: _Shapes, advice: str) -> Found:
    return Found(
        (*shapes.entry.shape_path, 0),
        message=f"Dims {list(shapes.own)} of {shapes.entry.label} hold the batch axis, and "
        f"max_batch_size is {model.config.max_batch_size}.",
        advice=advice,
        triton=shapes.triton(model.name),
        tensor=shapes.entry.name,
        value=str(list(shapes.own)),
    )


def _differing(shapes: _Shapes) -> Iterator[tuple[int, int, int]]:
    """Place in the configuration, its size and the graph's, of each size that does not fit."""
    if len(shapes.config) != len(shapes.graph):
        return
    for index, (size, want) in enumerate(zip(shapes.config, shapes.graph, strict=True)):
        compared = want != -1 or shapes.entry.side == "output"
        # What is no size has a rule of its own.
        if size != want and compared and (size >= 1 or size == -1):
            yield index - shapes.offset, size, want


def _wrong_size(model: Subject, shapes: _Shapes, index: int, what: str, advice: str) -> Found:
    field = "reshape" if shapes.entry.io.HasField("reshape") else "dims"
    return Found(
        (*shapes.entry.shape_path, index),
        message=f"Size {index} in {field} of {shapes.entry.label} {what}.",
        advice=advice,
        triton=shapes.triton(model.name),
        tensor=shapes.entry.name,
        value=str(shapes.own[index]),
    )
