"""A sample against a profile, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.calibrated import Estimate
from tritonkit.client.drift.profile import EXPECTED, Profile, Watched
from tritonkit.client.drift.rates import ONE_SIDED, rate_error
from tritonkit.client.drift.reading import Reading
from tritonkit.client.drift.watch import DROP, threshold_of
from tritonkit.client.layers.tiers.calibration import upper_bound
from tritonkit.client.types import Tensors
from tritonkit.errors import ConfigError

__all__ = ["Check", "Finding", "check"]

_CONFIDENCE = 0.99
_FEWEST = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    A feature of the sample.

    Args:
        feature: Its name.
        measure: The distance that decides.
        distance: From the reference.
        threshold: The distance that is no drift.
        allowed: The threshold, and the noise of a sample of this size and of the reference.
        drifted: Whether the distance is more.
        change: What has changed most.
        measures: All measures by name.
    """

    feature: str
    measure: str
    distance: float
    threshold: float
    allowed: float
    drifted: bool
    change: str
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """
    What came of it.

    Args:
        model: Whose traffic.
        rows: Of the sample.
        findings: Of each feature.
        unread: Features of tensors that the sample does not have.
        estimated: The accuracy that confidence promises; None without outputs.
        expected: Likewise of the reference.
        accuracy: By labels; None without.
        reference: Likewise of the reference; None without.
        fallen: Whether the accuracy has, by labels or by confidence.
    """

    model: str
    rows: int
    findings: tuple[Finding, ...]
    unread: tuple[str, ...]
    estimated: Estimate | None = None
    expected: float | None = None
    accuracy: float | None = None
    reference: float | None = None
    fallen: bool = False

    @property
    def drifted(self) -> bool:
        """Whether anything has."""
        return self.fallen or any(finding.drifted for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        estimated = None if self.estimated is None else self.estimated._asdict()
        return {"drifted": self.drifted, **asdict(self), "estimated": estimated}


def check(
    profile: Profile,
    inputs: Tensors,
    outputs: Tensors | None = None,
    *,
    labels: Sequence[int] | NDArray[Any] | None = None,
    thresholds: Mapping[str, float] | None = None,
    drop: float = DROP,
) -> Check:
    """
    Compare a sample with a profile.

    A feature has drifted when it is further away than the threshold, the noise of
    samples of this size, and that of the reference allow: a small change is none,
    however large the sample.

    Args:
        profile: The reference.
        inputs: By name, rows first; 30 rows at least.
        outputs: Likewise; without them only inputs are compared.
        labels: The right class of each row.
        thresholds: By measure or feature, over the defaults.
        drop: Of an accuracy, that is no alert.

    Raises:
        ConfigError: If the sample is too small, or not like the profile.
    """
    sides = {"input": inputs, "output": outputs or {}}
    counts = {name: len(rows) for side in sides.values() for name, rows in side.items()}
    if len(set(counts.values())) != 1 or min(counts.values()) < _FEWEST:
        raise ConfigError(
            f"a check needs {_FEWEST} rows at least, the same number in each tensor: {counts}."
        )
    (rows,) = set(counts.values())
    findings, unread = [], []
    for watched in profile.watched:
        feature = watched.feature
        if feature.tensor not in sides[feature.side]:
            unread.append(feature.name)
            continue
        try:
            mean = feature.encode(sides[feature.side][feature.tensor]).mean(axis=0)
        except (ValueError, TypeError, IndexError) as error:
            raise ConfigError(f"{feature.name} is not like that of the profile: {error}") from error
        threshold = threshold_of(feature, {"fall": drop, **(thresholds or {})})
        allowed = threshold + _noise(watched, profile.scales, rows)
        distance = float(feature.distance(watched.mean, mean))
        findings.append(
            Finding(
                feature=feature.name,
                measure=feature.measure,
                distance=distance,
                threshold=threshold,
                allowed=allowed,
                drifted=distance > allowed,
                change=feature.change(watched.mean, mean),
                measures=dict(feature.measures(watched.mean, mean)),
            )
        )
    if not findings:
        raise ConfigError(
            f"the sample has {sorted(counts)}, of which the profile knows nothing; it is of "
            f"{sorted({it.feature.tensor for it in profile.watched})}."
        )
    fallen = any(it.feature == EXPECTED and it.drifted for it in findings)
    judged = _judged(profile, sides["output"], labels, drop)
    judged["fallen"] = judged.get("fallen", False) or fallen
    return Check(
        model=profile.model, rows=rows, findings=tuple(findings), unread=tuple(unread), **judged
    )


def _noise(watched: Watched, scales: Sequence[int], rows: int) -> float:
    """Of windows of the largest size that is no larger; of fewer rows more."""
    fitting = [place for place, size in enumerate(scales) if size <= rows]
    noise = watched.noise.windows
    own = noise[fitting[-1]] if fitting else noise[0] * sqrt(scales[0] / rows)
    return float(own) + watched.noise.reference


def _judged(
    profile: Profile, outputs: Tensors, labels: Sequence[int] | NDArray[Any] | None, drop: float
) -> dict[str, Any]:
    calibrated, expected = profile.calibrated, profile.expected
    if calibrated is None or expected is None or profile.classes not in outputs:
        if labels is not None:
            raise ConfigError("labels need the model's outputs, and a profile with classes.")
        return {}
    rows = outputs[profile.classes]
    confidences = Reading(kind="max_probability")(rows)
    chances = calibrated(confidences)
    estimated = calibrated.estimate(
        calibrated.weights(confidences).mean(axis=0),
        float((chances * (1 - chances)).mean()),
        len(chances),
    )
    judged: dict[str, Any] = {
        "estimated": estimated,
        "expected": expected,
        "fallen": False,
    }
    if labels is None:
        return judged
    right = Reading(kind="class")(rows) == np.asarray(labels).reshape(-1)
    if len(right) != len(rows):
        raise ConfigError(f"there must be a label for each of {len(rows)} rows, not {len(right)}.")
    judged |= {"accuracy": float(right.mean()), "reference": profile.accuracy}
    if profile.accuracy is not None:
        most = upper_bound(int(right.sum()), len(right), _CONFIDENCE)
        error = rate_error(profile.accuracy, profile.labels)
        judged["fallen"] |= most < profile.accuracy - drop - ONE_SIDED * error
    return judged
