from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.export.verify import cosine, measure_agreement, measure_throughput

TEXTS = [f"text {n}" for n in range(40)]
REFERENCE = np.random.default_rng(1).normal(size=(len(TEXTS), 8)).astype(np.float32)


def exact(texts: Sequence[str]) -> NDArray[np.float32]:
    return REFERENCE[[TEXTS.index(text) for text in texts]]


def shy(texts: Sequence[str]) -> NDArray[np.float32]:
    """Answers otherwise in company."""
    return exact(texts) + (0.05 if len(texts) > 1 else 0.0)


def test_the_source_agrees_with_itself() -> None:
    agreement = measure_agreement(exact, TEXTS, REFERENCE)
    assert agreement.cosine_min == pytest.approx(1.0)
    assert agreement.batch_invariant


def test_an_answer_that_depends_on_its_batch_is_found() -> None:
    agreement = measure_agreement(shy, TEXTS, REFERENCE)
    assert agreement.cosine_min < agreement.cosine_mean < 1.0
    assert agreement.batch_cosine_min < 0.9999
    assert not agreement.batch_invariant


def test_one_wrong_text_shows_in_the_minimum() -> None:
    reference = REFERENCE.copy()
    reference[17] *= -1
    assert measure_agreement(exact, TEXTS, reference).cosine_min == pytest.approx(-1.0)


def test_cosine_of_a_zero_row_is_zero() -> None:
    one = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    assert cosine(one, one).tolist() == [0.0, pytest.approx(1.0)]


def test_throughput_is_measured_in_turns() -> None:
    calls: list[str] = []

    def named(name: str) -> object:
        def embed(texts: Sequence[str]) -> NDArray[np.float32]:
            calls.append(name)
            return exact(texts)

        return embed

    speeds = measure_throughput({"a": named("a"), "b": named("b")}, TEXTS)  # type: ignore[dict-item]
    assert set(speeds) == {"a", "b"}
    assert all(speed > 0 for speed in speeds.values())
    assert calls == ["a", "b"] * (len(calls) // 2)
