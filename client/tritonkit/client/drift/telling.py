"""What an alert says of what has drifted."""

from __future__ import annotations

from tritonkit.client.drift.accuracy import Accuracy
from tritonkit.client.drift.alert import Alert, Stream
from tritonkit.client.drift.calibrated import Estimate
from tritonkit.client.drift.expected import Expected
from tritonkit.client.drift.feature import Feature
from tritonkit.client.drift.tracker import Tracker

__all__ = ["fallen", "shifted"]


def shifted(
    model: str, tracker: Tracker, *, stream: Stream, evidence: float, needed: float, time: float
) -> Alert:
    """A feature is further away than is allowed."""
    watched = tracker.watched
    mean, distance, allowed = tracker.recent()
    return Alert(
        severity="page" if isinstance(watched.feature, Expected) else "ticket",
        model=model,
        feature=watched.feature.name,
        stream=stream,
        measure=watched.feature.measure,
        effect=distance,
        allowed=allowed,
        evidence=evidence,
        needed=needed,
        rows=tracker.rows,
        since=tracker.since,
        since_time=tracker.since_time or time,
        time=time,
        change=watched.feature.change(watched.mean, mean),
        look_at=_look_at(watched.feature, stream),
        measures=watched.feature.measures(watched.mean, mean),
    )


def fallen(model: str, accuracy: Accuracy, estimate: Estimate | None, time: float) -> Alert:
    """An accuracy is lower than is allowed; *estimate* is what confidence expects of it."""
    recent, reference = accuracy.recent or 0.0, accuracy.reference or 0.0
    between = "" if estimate is None else f", {estimate.low:.1%} to {estimate.high:.1%}"
    return Alert(
        severity="page",
        model=model,
        feature=accuracy.name,
        measure="fall",
        effect=reference - recent,
        allowed=accuracy.allowed,
        evidence=accuracy.evidence,
        needed=accuracy.run_length,
        rows=accuracy.rows,
        since=accuracy.since,
        since_time=accuracy.since_time or time,
        time=time,
        change=f"it was {reference:.1%} and is {recent:.1%} lately",
        look_at=(
            "Look at rows that were answered since then; "
            f"confidence expects {_percent(estimate)}{between}."
        ),
    )


def _percent(estimate: Estimate | None) -> str:
    return "nothing" if estimate is None else f"{estimate.value:.1%}"


def _look_at(feature: Feature, stream: Stream) -> str:
    if isinstance(feature, Expected):
        return "Look at rows that the model is unsure of, and at the tickets of its inputs."
    if stream == "computed":
        return "Look at what misses the cache: its content is new, not only its frequency."
    if feature.side == "input":
        return "Look at who sends such inputs since then; the model may know little of them."
    return "Look at whether the inputs have changed too; if not, at the model that is served."
