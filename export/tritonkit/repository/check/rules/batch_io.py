"""Batch inputs and batch outputs: what Triton makes of a batch for the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tritonkit.repository.check.data_type import data_type_name
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "batch_input_data_type",
    "batch_input_target",
    "batch_io_not_used",
    "batch_output_target",
    "batch_sources",
    "unknown_batch_source",
]

_IGNORANT = frozenset({"python", "openvino", "tensorflow"})
"""The backends that read no batch inputs and outputs."""


class _BatchIo(NamedTuple):
    side: str
    position: int
    io: Any

    @property
    def path(self) -> tuple[str | int, ...]:
        return (self.side, self.position)

    @property
    def label(self) -> str:
        return f"{self.side} {self.position}"

    @property
    def kind(self) -> str:
        kinds = self.io.Kind
        known = kinds.DESCRIPTOR.values_by_number.get(self.io.kind)
        return known.name if known else str(self.io.kind)


@rule("TK035", "batch-sources", Severity.ERROR, "A batch input or output without its one source")
def batch_sources(model: Subject) -> Iterator[Found]:
    """Each kind of batch input or batch output is made of exactly one input."""
    for batch in _batch_ios(model):
        sources = len(batch.io.source_input)
        if sources != 1:
            side = batch.side.replace("_", " ")
            yield Found(
                (*batch.path, "source_input") if sources else batch.path,
                message=f"{batch.label} has {sources} sources.",
                advice="Write the one input that it is made of as source_input.",
                triton=f"{side} kind '{batch.kind}' expects 1 source input, got {sources} "
                f"for {model.name}",
                value=str(list(batch.io.source_input)),
            )


@rule("TK036", "batch-input-data-type", Severity.ERROR, "A batch input of another type")
def batch_input_data_type(model: Subject) -> Iterator[Found]:
    """Triton makes batch inputs of TYPE_INT32 or of TYPE_FP32, and of no other type."""
    for batch in _batch_ios(model):
        if batch.side == "batch_input":
            data_type = data_type_name(batch.io.data_type)
            if data_type not in ("TYPE_INT32", "TYPE_FP32"):
                given = bool(batch.io.data_type)
                yield Found(
                    (*batch.path, "data_type") if given else batch.path,
                    message=f"{batch.label} is of {data_type}."
                    if given
                    else f"{batch.label} has no data_type.",
                    advice="Write TYPE_INT32 or TYPE_FP32, whichever the model takes.",
                    triton=f"batch input data type must be TYPE_INT32 or TYPE_FP32 for {model.name}"
                    if given
                    else "unexpected batch input data type 'TYPE_INVALID'",
                    value=data_type,
                )


@rule("TK037", "unknown-batch-source", Severity.ERROR, "A source that is no input of the model")
def unknown_batch_source(model: Subject) -> Iterator[Found]:
    """What a batch input or batch output is made of is one of the inputs in the configuration."""
    names = {entry.name for entry in model.entries if entry.side == "input"}
    for batch in _batch_ios(model):
        for index, source in enumerate(batch.io.source_input):
            if source not in names:
                yield Found(
                    (*batch.path, "source_input", index),
                    message=f"The source '{source}' of {batch.label} is no input.",
                    advice="Write one of the inputs: "
                    f"{', '.join(sorted(names)) or 'there is none'}.",
                    triton=f"unknown source input name '{source}' for {model.name}",
                    tensor=source,
                    value=source,
                )


@rule("TK038", "batch-output-target", Severity.ERROR, "A target that is no output, or named twice")
def batch_output_target(model: Subject) -> Iterator[Found]:
    """A batch output says how each of its targets is split, which are outputs, each once."""
    names = {entry.name for entry in model.entries if entry.side == "output"}
    for batch in _batch_ios(model):
        if batch.side != "batch_output":
            continue
        seen: set[str] = set()
        for index, target in enumerate(batch.io.target_name):
            path = (*batch.path, "target_name", index)
            if target not in names:
                yield Found(
                    path,
                    message=f"The target '{target}' of {batch.label} is no output.",
                    advice="Write one of the outputs: "
                    f"{', '.join(sorted(names)) or 'there is none'}.",
                    triton=f"unknown target output name '{target}' for {model.name}",
                    tensor=target,
                    value=target,
                )
            elif target in seen:
                yield Found(
                    path,
                    message=f"The target '{target}' of {batch.label} is named twice.",
                    advice="Leave it out here.",
                    triton=f"target output name '{target}' can only be specified once "
                    f"for {model.name}",
                    tensor=target,
                    value=target,
                )
            seen.add(target)


@rule("TK039", "batch-io-not-used", Severity.WARNING, "Batch inputs for a backend without any")
def batch_io_not_used(model: Subject) -> Iterator[Found]:
    """
    It is the backend that makes batch inputs and splits batch outputs.

    Those of Python, OpenVINO and TensorFlow do neither. Triton loads the model, which then
    never gets the batch input, or whose output is split as any other.
    """
    if model.backend not in _IGNORANT:
        return
    for batch in _batch_ios(model):
        yield Found(
            batch.path,
            message=f"The {model.backend} backend does nothing with {batch.label}.",
            advice="Leave it out, and make of the batch in the model what it needs.",
        )


@rule("TK157", "batch-input-target", Severity.REQUEST, "A batch input that the graph does not have")
def batch_input_target(model: Subject) -> Iterator[Found]:
    """
    What Triton makes of a batch goes to the inputs of the graph that target_name names.

    The onnxruntime backend counts batch inputs when it loads a model and does not look for their
    targets. The session misses the input then, with each request.
    """
    if model.graph is None:
        return
    known = {tensor.name for tensor in (*model.graph.inputs, *model.graph.overridable)}
    for batch in _batch_ios(model):
        if batch.side != "batch_input":
            continue
        for index, target in enumerate(batch.io.target_name):
            if target not in known:
                yield Found(
                    (*batch.path, "target_name", index),
                    message=f"The graph has no input '{target}', the target of {batch.label}.",
                    advice=f"Write one of the graph's inputs: {', '.join(sorted(known))}.",
                    tensor=target,
                    value=target,
                )


def _batch_ios(model: Subject) -> Iterator[_BatchIo]:
    config = model.config
    for index, io in enumerate(config.batch_input):
        yield _BatchIo("batch_input", index, io)
    for index, io in enumerate(config.batch_output):
        yield _BatchIo("batch_output", index, io)
