from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.export.samples.calibration import calibration_batches
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Feeds


class Padding:
    """Pads texts to the longest of a batch, as tokenizers do, and a few texts to a multiple."""

    def __init__(self, *, batched: bool = True, multiple: int = 1) -> None:
        self.batched = batched
        self.multiple = multiple

    def prepare(self, samples: Samples) -> Feeds:
        texts = samples.columns["text"].tolist()
        step = self.multiple if len(texts) < 8 else 1
        ids = np.zeros((len(texts), -(-max(map(len, texts)) // step) * step), np.int64)
        for row, text in zip(ids, texts, strict=True):
            row[: len(text)] = [ord(letter) for letter in text]
        return {"ids": ids, "mask": (ids > 0).astype(np.int64)}


def batches(
    texts: list[str], *, batched: bool = True, multiple: int = 1, **sizes: int
) -> list[Feeds]:
    samples = Samples({"text": np.array(texts, np.object_)}, "test")
    source = Padding(batched=batched, multiple=multiple)
    return calibration_batches(source, samples, **sizes)  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=60),
    rows=st.integers(1, 9),
    count=st.integers(1, 9),
    batched=st.booleans(),
    multiple=st.sampled_from([1, 4]),
)
def test_all_batches_have_one_shape(
    lengths: list[int], rows: int, count: int, batched: bool, multiple: int
) -> None:
    texts = ["x" * length for length in lengths]
    found = batches(texts, batched=batched, multiple=multiple, rows=rows, count=count)
    assert 1 <= len(found) <= count
    (shape,) = {feeds["ids"].shape for feeds in found}
    assert shape[0] <= (rows if batched else 1)
    assert shape[1] in {-(-length // multiple) * multiple for length in lengths} | set(lengths)


def test_most_samples_take_part() -> None:
    found = batches(["abcdefgh"[: 1 + n % 8] for n in range(64)], rows=8, count=16)
    assert found[0]["ids"].shape[0] == 8
    assert len(found) >= 7


def test_one_long_text_does_not_pad_all() -> None:
    found = batches(["x" * 10] * 40 + ["x" * 500])
    assert {feeds["ids"].shape for feeds in found} == {(8, 10)}


def test_samples_of_one_length_are_taken_once() -> None:
    found = batches([chr(65 + n) * 4 for n in range(24)], rows=8, count=16)
    assert sorted(row[0] for feeds in found for row in feeds["ids"].tolist()) == list(range(65, 89))


def test_extremes_take_no_part() -> None:
    texts = np.array(["aa", "bb", "c" * 99], np.object_)
    samples = Samples({"text": texts}, "test", extremes=1)
    (feeds,) = calibration_batches(Padding(), samples)  # type: ignore[arg-type]
    assert feeds["ids"].shape == (2, 2)
