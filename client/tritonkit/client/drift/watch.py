"""A stream of rows against a profile."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.accuracy import Accuracy
from tritonkit.client.drift.alert import Alert, Stream
from tritonkit.client.drift.calibrated import Estimate
from tritonkit.client.drift.feature import Feature
from tritonkit.client.drift.profile import Profile
from tritonkit.client.drift.rates import rate_error
from tritonkit.client.drift.reading import Reading
from tritonkit.client.drift.telling import fallen, shifted
from tritonkit.client.drift.tracker import Tracker
from tritonkit.client.statistics.multiplicity import e_bh
from tritonkit.client.types import Tensors
from tritonkit.errors import ConfigError

__all__ = ["MEASURES", "RUN_LENGTH", "Watch", "threshold_of"]

RUN_LENGTH = 1e7
"""Rows between false alarms, on average, at least."""

DROP = 0.01

MEASURES = ("wasserstein", "jensen_shannon", "mmd")
"""The distances that decide, each with a threshold."""

_REFUSALS = (ConfigError, ValueError, TypeError, KeyError, IndexError)
"""What a row raises that is not like those of the profile."""

_ESTIMATED = 1000
"""Rows that an estimate of accuracy is of."""


class Watch:
    """
    Compares rows with a profile, and says so once when they have drifted.

    A feature has drifted when its windows are further from the reference than
    the threshold, the noise of windows of their size, and that of the reference
    allow, so often that it is no chance. The evidence over all features is
    weighed together (e-BH), such that while nothing has drifted by more than its
    threshold, the first alert comes after *run_length* rows or more on average, and within
    n rows with probability n / run_length at most. This holds for any number of
    rows: a small change stays small however often it is seen.

    Not safe for threads: whoever drives it holds a lock.

    Args:
        profile: What all rows are compared with.
        computed: What the rows that the model computed are compared with. A cache
            lets the rare ones through, so the profile of all rows does not fit
            them: without one of their own they are measured, and raise no alert.
        thresholds: What a distance may be, by measure or by feature, over the
            defaults: 0.1 standard deviations of a number (wasserstein), 0.1 of a
            Jensen-Shannon distance, 0.05 of an MMD.
        run_length: Rows between false alarms; of agreement and of labels, each by itself.
        drop: Of an accuracy, that is no alert.

    Raises:
        ConfigError: If an argument is out of range, or a threshold is of nothing that is watched.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        computed: Profile | None = None,
        thresholds: Mapping[str, float] | None = None,
        run_length: float = RUN_LENGTH,
        drop: float = DROP,
    ) -> None:
        if not profile.scales[0] < run_length < inf:
            raise ConfigError(
                f"run_length must be more than {profile.scales[0]} rows, a window, but got "
                f"{run_length=}."
            )
        if not 0 <= drop < 1:
            raise ConfigError(f"drop must be 0 to less than 1, but got {drop=}.")
        # An accuracy's fall is one more distance.
        limits = {"fall": drop, **(thresholds or {})}
        known = {*MEASURES, *(it.feature.name for it in profile.watched)}
        for name, value in (thresholds or {}).items():
            if name not in known:
                raise ConfigError(
                    f"thresholds must be of {', '.join(sorted(known))}, but got {name!r}."
                )
            if not value >= 0:
                raise ConfigError(f"thresholds must not be negative, but got {name}={value!r}.")
        self.profile, self.run_length, self.drop = profile, run_length, drop
        self.unreadable = 0
        self._alerting: dict[Stream, bool] = {
            "traffic": True,
            "computed": computed is not None,
        }
        of_stream: dict[Stream, Profile] = {"traffic": profile, "computed": computed or profile}
        self.trackers: dict[Stream, list[Tracker]] = {
            stream: [
                Tracker(it, its.scales, threshold_of(it.feature, limits)) for it in its.watched
            ]
            for stream, its in of_stream.items()
        }
        self.accuracies = {
            "agreement": Accuracy(
                "agreement with the better model",
                drop=drop,
                run_length=run_length,
                reference=profile.agreement,
                error=_error(profile.agreement, profile.rows),
            ),
            "labels": Accuracy(
                "accuracy by labels",
                drop=drop,
                run_length=run_length,
                reference=profile.accuracy,
                error=_error(profile.accuracy, profile.labels),
            ),
        }
        self._confidences: deque[float] = deque(maxlen=_ESTIMATED)

    def __repr__(self) -> str:
        return f"Watch({self.profile!r})"

    def see(
        self,
        inputs: Tensors,
        outputs: Tensors | None,
        computed: NDArray[np.bool_],
        time: float,
    ) -> list[Alert]:
        """
        Go on with rows.

        Args:
            inputs: Rows first.
            outputs: None where an answer is not the model's own.
            computed: Whether the model computed each row.
            time: Seconds since the epoch.

        Returns:
            What has drifted, and was not said before.
        """
        alerts: list[Alert] = []
        size = self.profile.scales[0]
        for start in range(0, len(computed), size):
            part = slice(start, start + size)
            sides = {"input": _cut(inputs, part), "output": _cut(outputs or {}, part)}
            closed = False
            encoded: dict[Feature, NDArray[np.float64] | None] = {}
            for stream, trackers in self.trackers.items():
                rows = computed[part] if stream == "computed" else None
                if rows is not None and not rows.any():
                    continue
                for tracker in trackers:
                    if tracker.watched.feature.side == "output" and outputs is None:
                        continue
                    feature = tracker.watched.feature
                    if feature not in encoded:
                        # Once for both streams, where they have the same profile.
                        encoded[feature] = self._encoded(feature, sides)
                    vectors = encoded[feature]
                    if vectors is not None:
                        closed |= tracker.extend(vectors if rows is None else vectors[rows], time)
            if closed:
                alerts += self._alarms(time)
            if outputs is not None and self.profile.classes:
                self._remember(sides["output"])
        return alerts

    def judge(self, by: str, right: NDArray[np.bool_], time: float) -> list[Alert]:
        """
        Rows of which it is known, or said by a better model, whether they are right.

        Args:
            by: "labels" or "agreement".
            right: One for each row.
            time: Seconds since the epoch.
        """
        return self._fallen(self.accuracies[by], right.astype(np.float64), time)

    def estimate(self) -> Estimate | None:
        """The accuracy of the last 1,000 rows, by their confidence; None before the first."""
        calibrated = self.profile.calibrated
        if calibrated is None or not self._confidences:
            return None
        confidences = np.array(self._confidences)
        chances = calibrated(confidences)
        return calibrated.estimate(
            calibrated.weights(confidences).mean(axis=0),
            float((chances * (1 - chances)).mean()),
            len(chances),
        )

    def report(self) -> dict[str, Any]:
        """Everything in numbers."""
        estimate = self.estimate()
        return {
            "model": self.profile.model,
            "unreadable": self.unreadable,
            "features": {
                stream: {it.watched.feature.name: it.report() for it in trackers}
                for stream, trackers in self.trackers.items()
            },
            "accuracy": {by: it.report() for by, it in self.accuracies.items()},
            "estimated_accuracy": None if estimate is None else list(estimate),
        }

    def _encoded(
        self, feature: Feature, sides: Mapping[str, Tensors]
    ) -> NDArray[np.float64] | None:
        try:
            return feature.encode(sides[feature.side][feature.tensor])
        except _REFUSALS:
            self.unreadable += 1
            return None

    def _alarms(self, time: float) -> Iterator[Alert]:
        """By e-BH: of n features the k with the greatest evidence, n / k times enough each."""
        watched = [
            (stream, tracker)
            for stream, trackers in self.trackers.items()
            for tracker in trackers
            if self._alerting[stream]
        ]
        windows = self.run_length / self.profile.scales[0]
        with np.errstate(divide="ignore"):
            evidence = np.log([self._evidence(tracker) for _, tracker in watched]).tolist()
        found = e_bh(evidence, 1 / windows)
        for (stream, tracker), drifted in zip(watched, found, strict=True):
            if drifted:
                needed = windows * len(watched) / sum(found)
                yield shifted(
                    self.profile.model,
                    tracker,
                    stream=stream,
                    evidence=self._evidence(tracker),
                    needed=needed,
                    time=time,
                )
                tracker.alarm()

    def _evidence(self, tracker: Tracker) -> float:
        """In windows of this profile, of which those of the other may be a part."""
        return tracker.evidence * tracker.scales[0] / self.profile.scales[0]

    def _remember(self, outputs: Tensors) -> None:
        try:
            confidences = Reading(kind="max_probability")(outputs[self.profile.classes])
        except _REFUSALS:
            # Its features have counted it.
            return
        self._confidences.extend(confidences.tolist())

    def _fallen(self, accuracy: Accuracy, values: NDArray[np.float64], time: float) -> list[Alert]:
        if not accuracy.add(values, time):
            return []
        return [fallen(self.profile.model, accuracy, self.estimate(), time)]


def threshold_of(feature: Feature, thresholds: Mapping[str, float] | None) -> float:
    """Of a feature: its own, its measure's, or the default."""
    given = thresholds or {}
    return float(given.get(feature.name, given.get(feature.measure, feature.threshold)))


def _error(rate: float | None, rows: int) -> float:
    return 0.0 if rate is None or not rows else rate_error(rate, rows)


def _cut(tensors: Tensors, part: slice) -> Tensors:
    return {name: array[part] for name, array in tensors.items()}
