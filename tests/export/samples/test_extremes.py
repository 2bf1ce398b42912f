from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tritonkit.export.samples.extremes import with_extremes
from tritonkit.export.samples.samples import Samples


class Anything:
    """As much of a source as extremes ask."""

    def __init__(self, comparison: str = "classes") -> None:
        self.comparison = comparison


def extend(columns: dict[str, Any], comparison: str = "classes", **known: Any) -> Samples:
    arrays = {name: np.array(values) for name, values in columns.items()}
    return with_extremes(Anything(comparison), Samples(arrays, "test", **known))  # type: ignore[arg-type]


def texts(*values: str) -> Any:
    return np.array(values, np.object_)


def test_texts_get_empty_blank_and_endless_ones_at_the_end() -> None:
    samples = extend({"text": texts("a", "b")}, labels=np.array(["x", "y"]))
    found = samples.columns["text"].tolist()
    assert found[:2] == ["a", "b"]
    assert {"", " "} <= set(found[2:])
    assert max(map(len, found)) > 10_000
    assert (samples.judged, samples.extremes) == (2, len(found) - 2)
    assert samples.labels is not None
    assert samples.labels.tolist()[:2] == ["x", "y"]


def test_what_is_there_is_not_added_and_nothing_is_added_twice() -> None:
    plain, once = extend({"text": texts("a")}), extend({"text": texts("a", "", " ")})
    assert once.extremes == plain.extremes - 2
    assert with_extremes(Anything(), once) is once  # type: ignore[arg-type]


def test_a_source_that_ranks_words_gets_its_mask_in_every_text() -> None:
    samples = extend({"text": texts("a [MASK]", "b [MASK]")}, "ranks")
    assert all("[MASK]" in text[:20] for text in samples.columns["text"])


def test_extremes_are_not_to_be_found() -> None:
    samples = extend({"text": texts("a", "b")}, "embeddings", matches=np.array([1, -1]))
    assert samples.matches is not None
    assert samples.matches.tolist()[:2] == [1, -1]
    assert set(samples.matches.tolist()[2:]) == {-1}


def test_numbers_go_tenfold_to_the_sides_that_samples_have() -> None:
    samples = extend({"x": np.array([[-1.0, 2.0], [3.0, 4.0], [np.nan, 1.0]], np.float32)})
    assert samples.columns["x"].dtype == np.float32
    assert samples.columns["x"][3:].tolist() == [[30.0, 40.0], [-10.0, 10.0]]


def test_zero_is_between_negative_and_positive_numbers() -> None:
    samples = extend({"x": np.array([[-1.0], [2.0]])})
    assert samples.columns["x"][2:].tolist() == [[0.0], [20.0], [-10.0]]


def test_an_amount_that_is_positive_stays_so() -> None:
    """Its logarithm may be taken."""
    samples = extend({"amount": np.array([5.0, 7.0])})
    assert samples.columns["amount"].tolist() == [5.0, 7.0, 70.0]


def test_a_column_without_a_number_becomes_zero() -> None:
    samples = extend({"x": np.array([[np.nan], [np.inf]])})
    assert samples.columns["x"][2:].tolist() == [[0.0]]


def test_the_largest_number_stays_finite() -> None:
    samples = extend({"x": np.array([np.finfo(np.float32).max, -1.0], np.float32)})
    assert np.isfinite(samples.columns["x"]).all()


def test_ids_and_categories_stay_those_of_the_first_sample() -> None:
    columns = {"id": [3, 9], "city": texts("Bern", "Rome"), "x": [-1.0, 1.0]}
    samples = extend(columns)
    assert samples.extremes == 3
    assert samples.columns["id"].tolist() == [3, 9, 3, 3, 3]
    assert samples.columns["city"].tolist() == ["Bern", "Rome", "Bern", "Bern", "Bern"]
    assert extend({"id": [3, 9]}).extremes == 0


def test_images_are_files_that_pillow_opens() -> None:
    import io

    from PIL import Image

    samples = extend({"image": np.array([b"a file", b"another"], np.object_)})
    sizes = [Image.open(io.BytesIO(file)).size for file in samples.columns["image"][2:]]
    assert (1, 1) in sizes
    assert len(sizes) == samples.extremes


@pytest.mark.parametrize("name", ["text", "image"])
def test_a_column_of_one_axis_more_keeps_it(name: str) -> None:
    value = "a" if name == "text" else b"a"
    samples = extend({name: np.array([[value], [value]], np.object_)})
    assert samples.columns[name].shape == (2 + samples.extremes, 1)
