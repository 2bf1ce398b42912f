"""A table learns embeddings that are a table's, and leaves alone what it saw nothing of."""

from __future__ import annotations

from time import monotonic

import numpy as np
import pytest

from tritonkit.export.tiers.examples import Examples, mean_cosine
from tritonkit.export.tiers.table import Table, embed_by, fit, tune

TOKENS, UNSEEN, DIMENSION = 60, 5, 8
TEXTS, KNOWN = 3100, 3000


@pytest.fixture(params=[True, False], ids=["normalised", "of any length"])
def normalize(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def examples(normalize: bool) -> Examples:
    """3,100 texts whose embeddings a table gives exactly."""
    generator = np.random.default_rng(1)
    right = generator.normal(size=(TOKENS, DIMENSION)).astype(np.float32)
    lengths = generator.integers(1, 9, TEXTS)
    ids = generator.integers(0, TOKENS - UNSEEN, lengths.sum())
    blank = Examples(ids, lengths, np.zeros((TEXTS, DIMENSION), np.float32))
    embeddings = embed_by(right, blank)
    if normalize:
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return Examples(ids, lengths, embeddings)


@pytest.fixture
def start() -> Table:
    """A table that knows nothing."""
    return np.random.default_rng(2).normal(size=(TOKENS, DIMENSION)).astype(np.float32)


def _distance(table: Table, examples: Examples, normalize: bool) -> float:
    found = embed_by(table, examples)
    if normalize:
        return 1 - mean_cosine(found, examples.embeddings)
    return float(np.square(found - examples.embeddings).sum(axis=1).mean())


def test_tuning_comes_close_to_texts_it_has_not_seen(examples, start, normalize):
    train, held_out = examples.part(0, KNOWN), examples.part(KNOWN, TEXTS)
    table = fit(start, train)
    reports: list[str] = []
    tuned, epochs = tune(
        table,
        train,
        held_out,
        normalize=normalize,
        until=monotonic() + 60,
        progress=reports.append,
    )
    fitted = _distance(table, held_out, normalize)
    assert fitted < _distance(start, held_out, normalize)
    # Down the other slope, which takes lengths for something to learn or not, it is 0.027
    # and 0.25 of what was fitted; down the right one 0.001 and 0.04.
    share = 0.01 if normalize else 0.1
    assert _distance(tuned, held_out, normalize) < share * fitted
    assert len(reports) >= epochs >= 1
    np.testing.assert_array_equal(tuned[-UNSEEN:], table[-UNSEEN:])


def test_no_time_leaves_a_table_as_it_is(examples, start, normalize):
    tuned, epochs = tune(
        start, examples, examples, normalize=normalize, until=0, progress=lambda _: None
    )
    assert epochs == 0
    np.testing.assert_array_equal(tuned, start)


def test_a_token_without_an_embedding_counts_for_nothing(examples, start):
    start[3] = 0
    assert not fit(start, examples)[3].any()


def test_a_part_holds_the_texts_of_a_slice(examples):
    rows = examples.rows
    part = examples.part(KNOWN, 9999)
    assert [list(row) for row in part.rows] == [list(row) for row in rows[KNOWN:]]
    np.testing.assert_array_equal(part.embeddings, examples.embeddings[KNOWN:])
