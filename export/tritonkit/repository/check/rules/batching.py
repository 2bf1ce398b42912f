"""Batching: how many rows a model takes at once, and who gathers them."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.backend import chooses_batch_size
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "batches_of_equal_shapes",
    "dynamic_batching_without_batches",
    "negative_max_batch_size",
    "preferred_size_above_maximum",
    "preferred_size_not_positive",
    "preferred_sizes_without_profiles",
    "queue_delay_above_latency",
]


@rule("TK017", "negative-max-batch-size", Severity.ERROR, "max_batch_size is negative")
def negative_max_batch_size(model: Subject) -> Iterator[Found]:
    """A model takes up to max_batch_size rows at once; 0 says that it has no batch axis."""
    if model.config.max_batch_size < 0:
        yield Found(
            ("max_batch_size",),
            message=f"max_batch_size is {model.config.max_batch_size}.",
            advice="Write how many rows the model takes at once, or 0 where it has no batch axis.",
            triton=f"'max_batch_size' must be non-negative value for {model.name}",
            value=str(model.config.max_batch_size),
        )


@rule("TK065", "preferred-size-not-positive", Severity.ERROR, "a preferred batch size below 1")
def preferred_size_not_positive(model: Subject) -> Iterator[Found]:
    """
    The dynamic batcher sends a batch off as soon as it has one of the preferred sizes.

    Each counts rows, so that 0 and less mean nothing; Triton refuses them.
    """
    for index, size in enumerate(model.given.dynamic_batching.preferred_batch_size):
        if size <= 0:
            yield Found(
                ("dynamic_batching", "preferred_batch_size", index),
                message=f"A preferred batch size is {size}.",
                advice="Leave it out, or write a size from 1 to max_batch_size.",
                triton=f"dynamic batching preferred size must be positive for {model.name}",
                value=str(size),
            )


@rule(
    "TK066",
    "preferred-size-above-maximum",
    Severity.ERROR,
    "a preferred batch size above max_batch_size",
)
def preferred_size_above_maximum(model: Subject) -> Iterator[Found]:
    """
    No batch has more rows than max_batch_size, so that a preferred size above it is never met.

    Triton refuses it. It looks at the file before it completes it: where max_batch_size
    is left out, it is 0 here, also for a model that would get one from its backend.
    """
    largest = model.given.max_batch_size
    for index, size in enumerate(model.given.dynamic_batching.preferred_batch_size):
        if size > max(largest, 0):
            yield Found(
                ("dynamic_batching", "preferred_batch_size", index),
                message=f"A preferred batch size is {size}, and max_batch_size is {largest}.",
                advice="Leave it out, or raise max_batch_size to it.",
                triton="dynamic batching preferred size must be <= max batch size for "
                f"{model.name}",
                value=str(size),
            )


@rule(
    "TK071",
    "dynamic-batching-without-batches",
    Severity.WARNING,
    "dynamic batching of a model that takes one request at a time",
)
def dynamic_batching_without_batches(model: Subject) -> Iterator[Found]:
    """
    The dynamic batcher puts requests together up to max_batch_size rows.

    With a maximum of 0 or 1 there is nothing to put together: Triton loads the model,
    and runs it once for each request. A batcher that is there for its queue, that is
    for timeouts, priorities, sizes or the order of answers, is left alone. So is a model
    whose backend may choose the maximum, as TensorRT's does where none is written.
    """
    written = model.document is not None and model.document.has("max_batch_size")
    if not written and chooses_batch_size(model):
        return
    batching, largest = model.given.dynamic_batching, model.config.max_batch_size
    for_its_queue = (
        batching.priority_levels
        or batching.preserve_ordering
        or batching.HasField("default_queue_policy")
        or "TRITON_BATCH_STRATEGY_PATH" in model.given.parameters
    )
    if model.given.HasField("dynamic_batching") and 0 <= largest <= 1 and not for_its_queue:
        yield Found(
            ("dynamic_batching",),
            message=f"dynamic_batching is on, and max_batch_size is {largest}: nothing batches.",
            advice="Raise max_batch_size where the model has a batch axis, or leave "
            "dynamic_batching out.",
            value=str(largest),
        )


@rule(
    "TK072",
    "batches-of-equal-shapes",
    Severity.WARNING,
    "dynamic batching of an input of variable size",
)
def batches_of_equal_shapes(model: Subject) -> Iterator[Found]:
    """
    The dynamic batcher puts only requests of equal shape into one batch.

    Where an input has a dimension of -1, requests that differ in it run one after the
    other, and traffic of many lengths hardly batches. A Python model gets each request by
    itself: `allow_ragged_batch: true` in its inputs is enough for requests of all shapes to
    come in one call. Graphs take one array: pad to a few lengths (16, 32, 64, ...) before
    the model, or mark the input allow_ragged_batch and give the backend a batch_input, where
    the graph takes its rows flat. What `tritonkit export` wrote is left alone, because it
    pads.
    """
    config = model.config
    if not model.given.HasField("dynamic_batching") or config.max_batch_size <= 1:
        return
    if "tritonkit.export" in model.given.parameters:
        return
    varying = [
        (index, tensor)
        for index, tensor in enumerate(config.input)
        if -1 in tensor.dims and not tensor.allow_ragged_batch
    ]
    if not varying:
        return
    first, tensor = varying[0]
    dims = ", ".join(map(str, tensor.dims))
    names = ", ".join(repr(one.name) for _, one in varying)
    yield Found(
        ("input", first, "dims") if first < len(model.given.input) else ("dynamic_batching",),
        message=f"Inputs {names} have sizes that vary: only requests of equal shape become one "
        "batch."
        if varying[1:]
        else f"Input {names} has dims [{dims}]: only requests of equal shape become one batch.",
        advice="Write allow_ragged_batch: true beside dims where model.py takes each request by "
        "itself, or pad requests to a few sizes."
        if model.backend == "python"
        else "Pad requests to a few sizes before the model, or allow ragged batches where its "
        "backend takes them.",
        tensor=tensor.name,
        value=f"[{dims}]",
    )


@rule(
    "TK073",
    "queue-delay-above-latency",
    Severity.WARNING,
    "requests may wait longer than an answer may take",
)
def queue_delay_above_latency(model: Subject) -> Iterator[Found]:
    """
    A request waits up to max_queue_delay_microseconds for others to fill its batch.

    A lone request waits all of it, and only then runs. Where the delay is as long as the
    latency that answers are to have, requests miss it whenever traffic is low. A delay of
    about the time of one run is long enough.
    """
    latency = model.target.latency
    if latency is None:
        return
    sequence = model.given.sequence_batching
    delays = {
        ("dynamic_batching",): model.given.dynamic_batching.max_queue_delay_microseconds,
        ("sequence_batching", "direct"): sequence.direct.max_queue_delay_microseconds,
        ("sequence_batching", "oldest"): sequence.oldest.max_queue_delay_microseconds,
    }
    for path, delay in delays.items():
        if delay >= latency * 1e6:
            yield Found(
                (*path, "max_queue_delay_microseconds"),
                message=f"A request waits up to {delay / 1000:g} ms for its batch, and an "
                f"answer may take {latency * 1000:g} ms.",
                advice="Lower the delay to about the time of one run, or leave it out.",
                value=str(delay),
            )


@rule(
    "TK160",
    "preferred-sizes-without-profiles",
    Severity.WARNING,
    "preferred batch sizes of a model that has no favourites",
)
def preferred_sizes_without_profiles(model: Subject) -> Iterator[Found]:
    """
    Preferred sizes are for TensorRT engines with optimization profiles made for them.

    For other graphs the largest batch is the best one, and a preferred size below it
    makes the batcher send off a smaller batch than it has. Triton's own guide says to
    leave them out. Python models and custom backends are left alone: they may have sizes
    that they like.
    """
    if model.backend not in _RUN_EVERY_SIZE_ALIKE or _runs_tensorrt(model):
        return
    sizes = model.given.dynamic_batching.preferred_batch_size
    if any(0 < size < model.config.max_batch_size for size in sizes):
        written = ", ".join(map(str, sizes))
        yield Found(
            ("dynamic_batching", "preferred_batch_size"),
            message=f"preferred_batch_size is [{written}], and the backend "
            f"{model.backend!r} runs every size alike.",
            advice="Leave preferred_batch_size out; the batcher then fills batches up to "
            "max_batch_size.",
            value=f"[{written}]",
        )


_RUN_EVERY_SIZE_ALIKE = ("onnxruntime", "openvino", "pytorch", "tensorflow")


def _runs_tensorrt(model: Subject) -> bool:
    accelerators = model.given.optimization.execution_accelerators.gpu_execution_accelerator
    return any(accelerator.name == "tensorrt" for accelerator in accelerators)
