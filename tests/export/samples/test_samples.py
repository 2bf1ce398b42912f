from __future__ import annotations

import numpy as np
import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.samples.samples import Samples

TEXTS = {"text": np.array(["a", "b", "c"], np.object_)}


def test_taking_keeps_labels_and_their_order() -> None:
    samples = Samples(TEXTS, "test", np.array([0, 1, 2]), extremes=1)
    taken = samples.take([2, 0, 2])
    assert taken.columns["text"].tolist() == ["c", "a", "c"]
    assert taken.labels is not None
    assert taken.labels.tolist() == [2, 0, 2]
    assert (samples.judged, taken.judged, taken.extremes) == (2, 3, 0)


@pytest.mark.parametrize(
    ("matches", "message"),
    [([1, -1, 3], "sample 2 has 3"), ([0, -1, -1], "sample 0 has 0"), ([-2, -1, -1], "has -2")],
)
def test_a_match_is_another_sample(matches: list[int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Samples(TEXTS, "test", matches=np.array(matches))


def test_nobody_is_to_find_an_extreme() -> None:
    with pytest.raises(ConfigError, match="below 2, but sample 0 has 2"):
        Samples(TEXTS, "test", matches=np.array([2, -1, -1]), extremes=1)


def test_columns_have_one_length_and_samples() -> None:
    with pytest.raises(ConfigError, match="'labels': 2"):
        Samples(TEXTS, "test", np.array([0, 1]))
    with pytest.raises(ConfigError, match="but got none"):
        Samples({}, "test")
    with pytest.raises(ConfigError, match="extremes must be 0 to 2 of 3 samples, but got 3"):
        Samples(TEXTS, "test", extremes=3)


def test_a_preview_is_a_line() -> None:
    samples = Samples(
        {
            "text": np.array(["a\nb" * 100], np.object_),
            "image": np.array([b"123"], np.object_),
            "x": np.zeros((1, 2, 3)),
        },
        "test",
    )
    assert samples.preview(0, 400).endswith("', 3 bytes, float64[2, 3]")
    assert samples.preview(0).startswith("'a\\nb")
    assert len(samples.preview(0)) == 60


def test_sizes_are_of_texts_and_bytes_alone() -> None:
    columns = {
        "text": np.array(["", "abc"], np.object_),
        "image": np.array([b"12", b"1"], np.object_),
        "x": np.zeros((2, 9)),
    }
    assert Samples(columns, "test").sizes.tolist() == [2, 4]
