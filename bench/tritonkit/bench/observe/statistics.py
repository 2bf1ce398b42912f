"""
The server's own account: counters of Triton's statistics extension, and what they gained.

Source: Triton's extension_statistics.md. The counters are totals since the model
was loaded, in nanoseconds, so a run is the difference of two readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tritonkit.errors import ProtocolError

__all__ = ["Counters", "Duration", "ModelTimes", "gained", "read_counters", "summed"]

_STAGES = (
    "success",
    "fail",
    "queue",
    "compute_input",
    "compute_infer",
    "compute_output",
    "cache_hit",
    "cache_miss",
)


@dataclass(frozen=True, slots=True)
class Duration:
    """How often a stage was passed, and the time it took in total."""

    count: int = 0
    ns: int = 0

    @property
    def mean_us(self) -> float:
        """Microseconds each time; 0 where the stage was never passed."""
        return self.ns / self.count / 1e3 if self.count else 0.0

    def __add__(self, other: Duration) -> Duration:
        return Duration(self.count + other.count, self.ns + other.ns)

    def __sub__(self, earlier: Duration) -> Duration:
        return Duration(self.count - earlier.count, self.ns - earlier.ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """
    One reading of one version of one model.

    Args:
        model: Name of the model.
        version: Its version.
        inferences: Rows that were computed; rows answered from the cache are not.
        executions: Times that the backend was called.
        stages: Durations by Triton's name of the stage.
        batches: Executions by batch size.
    """

    model: str
    version: str
    inferences: int
    executions: int
    stages: Mapping[str, Duration]
    batches: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTimes:
    """
    What one model did during a run, by the server's own counters.

    Args:
        model: Name of the model; several versions are added up.
        requests: Requests that succeeded, answers from the cache among them.
        failed: Requests that failed or were cancelled.
        inferences: Rows that were computed.
        executions: Times that the backend was called.
        queue: Time in the scheduler's queue, by request.
        compute_input: Gathering the inputs, by request.
        compute_infer: The model's run, by request: every request of a batch
            counts the whole run.
        compute_output: Splitting the outputs, by request.
        cache_hit: Answers from the server's response cache.
        cache_miss: Look-ups there without an answer.
        batches: Executions by batch size.
    """

    model: str
    requests: int
    failed: int
    inferences: int
    executions: int
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration
    batches: Mapping[int, int]

    @property
    def mean_batch(self) -> float:
        """Rows of one execution; 0 where there was none."""
        return self.inferences / self.executions if self.executions else 0.0


def read_counters(reply: Mapping[str, Any]) -> tuple[Counters, ...]:
    """
    Read the answer to `GET v2/models/NAME/stats`.

    Raises:
        ProtocolError: If it is not such an answer.
    """
    try:
        return tuple(_read_one(entry) for entry in reply["model_stats"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(
            f"the server's statistics are not those of Triton: {error!r} in {str(reply)[:200]}"
        ) from error


def gained(before: Iterable[Counters], after: Iterable[Counters]) -> tuple[ModelTimes, ...]:
    """
    What each model did between two readings, in the order of the second.

    A version that was loaded again in between starts from zero: its counters
    went down, and its second reading alone is what it gained.
    """
    earlier = {(reading.model, reading.version): reading for reading in before}
    by_model: dict[str, list[Counters]] = {}
    for reading in after:
        start = earlier.get((reading.model, reading.version))
        by_model.setdefault(reading.model, []).append(_subtract(reading, start))
    return tuple(_times(model, readings) for model, readings in by_model.items())


def summed(runs: Iterable[Iterable[ModelTimes]]) -> tuple[ModelTimes, ...]:
    """What each model did in several runs together, in the order of the first."""
    whole: dict[str, ModelTimes] = {}
    for times in (each for run in runs for each in run):
        known = whole.get(times.model)
        whole[times.model] = times if known is None else _joined(known, times)
    return tuple(whole.values())


def _joined(one: ModelTimes, other: ModelTimes) -> ModelTimes:
    sizes = sorted({*one.batches, *other.batches})
    return ModelTimes(
        model=one.model,
        requests=one.requests + other.requests,
        failed=one.failed + other.failed,
        inferences=one.inferences + other.inferences,
        executions=one.executions + other.executions,
        queue=one.queue + other.queue,
        compute_input=one.compute_input + other.compute_input,
        compute_infer=one.compute_infer + other.compute_infer,
        compute_output=one.compute_output + other.compute_output,
        cache_hit=one.cache_hit + other.cache_hit,
        cache_miss=one.cache_miss + other.cache_miss,
        batches={n: one.batches.get(n, 0) + other.batches.get(n, 0) for n in sizes},
    )


def _read_one(entry: Mapping[str, Any]) -> Counters:
    stages = entry["inference_stats"]
    return Counters(
        model=str(entry["name"]),
        version=str(entry["version"]),
        inferences=int(entry["inference_count"]),
        executions=int(entry["execution_count"]),
        # A server before 21.11 has no cache stages.
        stages={
            stage: Duration(int(stages[stage]["count"]), int(stages[stage]["ns"]))
            for stage in _STAGES
            if stage in stages
        },
        batches={
            int(batch["batch_size"]): int(batch["compute_infer"]["count"])
            for batch in entry.get("batch_stats", ())
        },
    )


def _subtract(after: Counters, before: Counters | None) -> Counters:
    if before is None or _went_down(after, before):
        return after
    batches = {size: n - before.batches.get(size, 0) for size, n in after.batches.items()}
    return Counters(
        model=after.model,
        version=after.version,
        inferences=after.inferences - before.inferences,
        executions=after.executions - before.executions,
        stages={
            stage: duration - before.stages.get(stage, Duration())
            for stage, duration in after.stages.items()
        },
        batches={size: n for size, n in batches.items() if n},
    )


def _went_down(after: Counters, before: Counters) -> bool:
    # A server that was started again long ago may have counted further in all; but hardly
    # of each batch size.
    return (
        after.inferences < before.inferences
        or after.executions < before.executions
        or any(
            duration.count < before.stages.get(stage, Duration()).count
            for stage, duration in after.stages.items()
        )
        or any(after.batches.get(size, 0) < count for size, count in before.batches.items())
    )


def _times(model: str, readings: list[Counters]) -> ModelTimes:
    def total(stage: str) -> Duration:
        durations = [reading.stages.get(stage, Duration()) for reading in readings]
        return Duration(sum(d.count for d in durations), sum(d.ns for d in durations))

    batches: dict[int, int] = {}
    for reading in readings:
        for size, count in reading.batches.items():
            batches[size] = batches.get(size, 0) + count
    return ModelTimes(
        model=model,
        requests=total("success").count,
        failed=total("fail").count,
        inferences=sum(reading.inferences for reading in readings),
        executions=sum(reading.executions for reading in readings),
        queue=total("queue"),
        compute_input=total("compute_input"),
        compute_infer=total("compute_infer"),
        compute_output=total("compute_output"),
        cache_hit=total("cache_hit"),
        cache_miss=total("cache_miss"),
        batches=dict(sorted(batches.items())),
    )
