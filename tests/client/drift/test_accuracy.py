"""Accuracy without labels, and how soon its fall is found."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.client.drift.accuracy import Accuracy
from tritonkit.client.drift.calibrated import Calibrated
from tritonkit.client.drift.rates import FallDetector, rate_error, rows_to_find
from tritonkit.errors import ConfigError

Floats = NDArray[np.float64]


def simulated(values: Floats, rate: float, needed: float) -> NDArray[np.intp]:
    """The row of the first alarm of each stream, -1 for none; shape (streams,)."""
    detector = FallDetector(rate)
    state = np.zeros((len(values), 7))
    found = np.full(len(values), -1)
    for row in range(values.shape[1]):
        state = np.minimum((state + 1) * detector.factors(values[:, row]), 1e100)
        found[(found < 0) & (state.mean(axis=1) >= needed)] = row + 1
    return found


def test_a_fall_from_94_to_89_percent_is_found_in_the_stated_number_of_rows() -> None:
    """95 % of 200 streams, less 3 standard errors: 90.4 %."""
    stated = rows_to_find(0.94, 0.89)
    assert stated == 2950
    chance = np.random.default_rng(1)
    values = (chance.random((200, stated)) < 0.89).astype(float)
    found = simulated(values, 0.93, 1e7)
    assert (found > 0).mean() >= 0.95 - 3 * (0.95 * 0.05 / 200) ** 0.5


def test_without_a_fall_there_is_no_alarm_beyond_the_rate() -> None:
    """
    At the rate that is still good, within t rows with probability t / A: 3,000 of
    30,000 is 1 in 10; of 200 streams 20, and 3 deviations of 4.2 more.
    """
    chance = np.random.default_rng(2)
    values = (chance.random((200, 3000)) < 0.93).astype(float)
    assert (simulated(values, 0.93, 30_000.0) > 0).sum() <= 33


def test_a_detector_does_what_the_simulation_does() -> None:
    chance = np.random.default_rng(3)
    values = (chance.random(4000) < 0.85).astype(float)
    (expected,) = simulated(values[None], 0.93, 1e7)
    detector = FallDetector(0.93)
    assert detector.add(values[:500], 1e7) is None
    assert detector.add(values[500:], 1e7) == expected - 500
    # The fall was there from the first row.
    assert detector.beginnings[detector.likeliest] <= expected * 0.3


def test_what_cannot_be_found() -> None:
    with pytest.raises(ConfigError, match=r"a fall from 0\.94 to 0\.935 is not found"):
        rows_to_find(0.94, 0.935)
    assert rows_to_find(0.94, 0.89, reference=5000) > rows_to_find(0.94, 0.89)
    assert rows_to_find(0.94, 0.89, drop=0) < rows_to_find(0.94, 0.89)
    with pytest.raises(ConfigError, match="rate must be 0 to 1"):
        FallDetector(1.1)


def test_when_a_fall_began() -> None:
    """
    At row 10,000, not with the first one.

    The error is that of a CUSUM: by simulation, of 60 streams 58 were within 700 rows.
    """
    chance = np.random.default_rng(11)
    accuracy = Accuracy(
        "labels", drop=0.01, run_length=1e7, reference=0.94, error=rate_error(0.94, 5000)
    )
    for step in range(200):
        assert not accuracy.add((chance.random(50) < 0.94).astype(float), float(step))
    for step in range(200, 400):
        if accuracy.add((chance.random(50) < 0.89).astype(float), float(step)):
            break
    assert accuracy.fallen
    assert abs(accuracy.since - 10_000) < 700
    at_once = Accuracy("labels", drop=0.01, run_length=1e7, reference=0.99)
    assert at_once.add(np.zeros(50), 1.0)
    assert at_once.since == 0
    assert abs(accuracy.since_time - 200) < 700 / 50 + 1


def test_a_reference_is_learned_where_there_is_none() -> None:
    accuracy = Accuracy("accuracy by labels", drop=0.01, run_length=1e6)
    chance = np.random.default_rng(4)
    assert not accuracy.add((chance.random(1000) < 0.94).astype(float), 1.0)
    assert accuracy.reference == pytest.approx(0.94, abs=0.03)
    assert accuracy.add((chance.random(4000) < 0.8).astype(float), 2.0)
    assert accuracy.fallen
    # It is said once, and again after it was good for a while.
    assert not accuracy.add((chance.random(4000) < 0.8).astype(float), 3.0)
    assert not accuracy.add((chance.random(4000) < 0.96).astype(float), 4.0)
    assert not accuracy.fallen
    assert accuracy.add((chance.random(4000) < 0.8).astype(float), 5.0)


@pytest.mark.parametrize("rows", [100, 300, 1000])
@pytest.mark.parametrize("rate", [0.95, 0.97, 0.98, 0.985, 0.99, 0.997])
def test_few_labels_that_are_all_right_do_not_promise_too_much(rows: int, rate: float) -> None:
    """
    One reference of twenty is further above its rate than the error allows, about.

    By the binomial probabilities of every count of right labels; a point above 5 % is for
    what is not normal of them. A plain standard error is 0 where all are right: 13 % and 22 %
    of 100 labels at rates of 98 and 98.5 % were too high.
    """
    odd = 0.0
    for right in range(rows + 1):
        accuracy = Accuracy(
            "labels",
            drop=0.01,
            run_length=1e6,
            reference=right / rows,
            error=rate_error(right / rows, rows),
        )
        if right / rows - accuracy.allowed > rate:
            odd += comb(rows, right) * rate**right * (1 - rate) ** (rows - right)
    assert odd < 0.06


def sample(
    chance: np.random.Generator, count: int, sure: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Confidences that are too high by a fixed rule, and whether the rows are right."""
    confidences = 0.5 + 0.5 * chance.beta(sure, 1.5, count)
    return confidences, chance.random(count) < truth(confidences)


def truth(confidences: Floats) -> Floats:
    return 0.5 + 0.9 * (confidences - 0.5)


def test_estimates_hold_under_covariate_shift() -> None:
    """
    Rows become less sure; the accuracy is within the interval. 95 % of 200 windows, less
    3 standard errors of 1.5 %.
    """
    chance = np.random.default_rng(5)
    calibrated = Calibrated.of(*sample(chance, 10_000, 4.0))
    reference = calibrated(sample(chance, 10_000, 4.0)[0]).mean()
    within = 0
    for _ in range(200):
        confidences, right = sample(chance, 1000, 2.5)
        chances = calibrated(confidences)
        weights = calibrated.weights(confidences).mean(axis=0)
        estimate = calibrated.estimate(weights, float((chances * (1 - chances)).mean()), 1000)
        within += estimate.low <= right.mean() <= estimate.high
        assert estimate.value < reference - 0.03
    assert within >= 200 * (0.95 - 3 * 0.0154)


def test_estimates_fail_under_concept_drift_and_agreement_does_not() -> None:
    """
    What is right changes for a fifth of the rows, and confidence does not: the estimate
    stays where it was. A better model that has learned of it disagrees.
    """
    chance = np.random.default_rng(6)
    calibrated = Calibrated.of(*sample(chance, 10_000, 4.0))
    confidences, right = sample(chance, 4000, 4.0)
    right &= chance.random(4000) >= 0.2
    chances = calibrated(confidences)
    weights = calibrated.weights(confidences).mean(axis=0)
    estimate = calibrated.estimate(weights, float((chances * (1 - chances)).mean()), 4000)
    assert right.mean() < estimate.low - 0.1
    agreement = Accuracy(
        "agreement with the better model", drop=0.01, run_length=1e7, reference=0.9, error=0.003
    )
    by_confidence = Accuracy(
        "accuracy by confidence", drop=0.01, run_length=1e7, reference=float(chances.mean())
    )
    assert not by_confidence.add(chances, 1.0)
    assert agreement.add(right.astype(float), 1.0)


def test_calibration_is_monotone() -> None:
    chance = np.random.default_rng(7)
    confidences = chance.random(600)
    calibrated = Calibrated.of(confidences, chance.random(600) < 0.5)
    grid = calibrated(np.linspace(0, 1, 50))
    assert (np.diff(grid) >= 0).all()
    assert calibrated(np.array([np.nan])).tolist() == [0.0]
    assert np.allclose(calibrated.weights(confidences).sum(axis=1), 1)
    with pytest.raises(ConfigError, match="no number"):
        Calibrated.of(np.array([np.nan]), np.array([True]))
