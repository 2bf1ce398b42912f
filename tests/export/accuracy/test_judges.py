"""Each kind of answer, on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.accuracy.classes import Classes
from tritonkit.export.accuracy.embeddings import Embeddings
from tritonkit.export.accuracy.judge import Judge, Rows
from tritonkit.export.accuracy.ranks import Ranks
from tritonkit.export.accuracy.token_classes import TokenClasses
from tritonkit.export.accuracy.values import Values
from tritonkit.export.samples.samples import Samples

JUDGES = (Embeddings(), Classes(), TokenClasses(), Ranks(), Values())
SEEDS = st.integers(0, 2**32 - 1)


def samples(count: int, **known: Any) -> Samples:
    return Samples({"x": np.arange(count)}, "test", **known)


def answers(judge: Judge, count: int, random: np.random.Generator) -> Rows:
    if isinstance(judge, Ranks):
        return [random.permutation(list("abcdefgh"))[:5] for _ in range(count)]
    if isinstance(judge, TokenClasses):
        return [random.normal(size=(int(random.integers(0, 4)), 3)) for _ in range(count)]
    rows = random.normal(size=(count, 4))
    if isinstance(judge, Classes):
        rows = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
    return list(rows)


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: type(judge).__name__)
@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 15), seed=SEEDS)
def test_the_same_answers_agree(judge: Judge, count: int, seed: int) -> None:
    rows = answers(judge, count, np.random.default_rng(seed))
    task = judge.task(rows, rows, samples(count), ())
    assert judge.agreement(rows, rows).tolist() == [1.0] * count
    np.testing.assert_allclose(judge.cosines(rows, rows), 1.0)
    assert task.source_value == 1.0
    assert task.value == pytest.approx(1.0)


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: type(judge).__name__)
@settings(max_examples=40, deadline=None)
@given(count=st.integers(2, 15), seed=SEEDS)
def test_the_order_of_samples_does_not_matter(judge: Judge, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    right = answers(judge, count, random)
    given = [row[::-1] if random.random() < 0.3 else row for row in right]
    order = random.permutation(count)
    swapped = [[rows[at] for at in order] for rows in (right, given)]
    for one, other in (
        (judge.scores(right, given), judge.scores(*swapped)),
        (judge.cosines(right, given), judge.cosines(*swapped)),
        (judge.agreement(right, given), judge.agreement(*swapped)),
    ):
        np.testing.assert_allclose(one[order], other)
    tasks = [judge.task(*pair, samples(count), ()) for pair in ((right, given), swapped)]
    assert tasks[0].value == pytest.approx(tasks[1].value)
    assert tasks[0].figures == pytest.approx(dict(tasks[1].figures))


def literal_ranks(
    rows: NDArray[np.float64],
    queries: Sequence[int],
    documents: Sequence[int],
    right: Sequence[int],
) -> list[int]:
    found = []
    for query, match in zip(queries, right, strict=True):
        scored = {
            document: float(
                rows[query]
                @ rows[document]
                / (np.linalg.norm(rows[query]) * np.linalg.norm(rows[document]))
            )
            for document in documents
        }
        # By definition, cosines this close are equal, and all that are equal stand before.
        found.append(sum(score >= scored[match] - 1e-5 for score in scored.values()))
    return found


@settings(max_examples=40, deadline=None)
@given(queries=st.integers(1, 12), documents=st.integers(1, 15), seed=SEEDS)
@example(queries=9, documents=10, seed=105735108)
def test_retrieval_is_that_of_its_definition(queries: int, documents: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    count = queries + documents
    right, given = random.normal(size=(2, count, 6))
    matches = np.full(count, -1)
    matches[:queries] = random.integers(queries, count, size=queries)
    task = Embeddings().task(list(right), list(given), samples(count, matches=matches), ())
    for side, rows, value in (
        ("", given, task.value),
        (" of the source", right, task.source_value),
    ):
        ranks = np.array(
            literal_ranks(rows, range(queries), range(queries, count), matches[:queries].tolist())
        )
        assert task.metric == "MRR"
        assert value == pytest.approx((1 / ranks).mean())
        assert task.figures[f"R@1{side}"] == pytest.approx((ranks == 1).mean())
        assert task.figures[f"R@10{side}"] == pytest.approx((ranks <= 10).mean())


def test_a_model_that_turns_the_space_finds_all_in_an_index_of_its_own_alone() -> None:
    random = np.random.default_rng(0)
    right = random.normal(size=(40, 6))
    right[20:] = right[:20] + 0.01 * random.normal(size=(20, 6))
    matches = np.array([*range(20, 40), *[-1] * 20])
    known = samples(40, matches=matches)
    turned = Embeddings().task(list(right), list(-right), known, ())
    assert (turned.value, turned.source_value, turned.figures["R@1"]) == (1.0, 1.0, 1.0)
    assert turned.figures["R@1 in the source's index"] == 0.0
    assert turned.figures["MRR in the source's index"] < 0.1
    same = Embeddings().task(list(right), list(3 * right), known, ())
    assert same.figures["R@1 in the source's index"] == 1.0
    unmatched = Embeddings().task(list(right), list(-right), samples(40), ())
    assert unmatched.value == 1.0
    assert unmatched.figures["top-1 agreement in the source's index"] == 0.0


def test_a_model_with_one_vector_for_all_finds_nothing() -> None:
    rows = list(np.random.default_rng(0).normal(size=(20, 4)))
    matches = np.array([*range(10, 20), *[-1] * 10])
    task = Embeddings().task(rows, [np.ones(4)] * 20, samples(20, matches=matches), ())
    assert task.value == pytest.approx(0.1)
    assert task.figures["R@1"] == 0.0


def test_neighbours_of_a_golden_case() -> None:
    """On a circle, at 0, 10, 30 and 60 degrees; the model moves the third to 45."""
    right, given = (
        [np.array([np.cos(a), np.sin(a)]) for a in np.radians(angles)]
        for angles in ([0, 10, 30, 60], [0, 10, 45, 60])
    )
    assert Embeddings().agreement(right, given).tolist() == [1.0, 1.0, 0.0, 1.0]
    task = Embeddings().task(right, given, samples(4), ())
    assert (task.metric, task.value, task.source_value) == ("top-1 agreement", 0.75, 1.0)
    assert 0.5 < task.figures["Spearman"] < 1.0


def test_texts_that_are_there_twice_are_as_near() -> None:
    right = [np.array([1.0, 0.1]), np.array([1.0, 0.0]), np.array([1.0, 0.0])]
    given = [right[0], right[1] + 1e-9, right[2]]
    assert Embeddings().agreement(right, given).tolist() == [1.0] * 3


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, classes=st.integers(2, 5))
def test_accuracy_and_area_are_scikit_learns(seed: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(0, classes, size=20)])
    right, given = random.dirichlet(np.ones(classes), size=(2, len(labels))).round(1) + 0.1
    right, given = (rows / rows.sum(axis=1, keepdims=True) for rows in (right, given))
    task = Classes().task(list(right), list(given), samples(len(labels), labels=labels), ())
    for side, rows, value in (
        ("", given, task.value),
        (" of the source", right, task.source_value),
    ):
        scores = rows[:, 1] if classes == 2 else rows
        expected = sklearn.metrics.roc_auc_score(labels, scores, multi_class="ovr")
        assert task.figures[f"AUC{side}"] == pytest.approx(expected)
        assert value == sklearn.metrics.accuracy_score(labels, rows.argmax(axis=1))


def test_one_probability_is_that_of_the_second_of_two_classes() -> None:
    right, given = [np.array([0.9]), np.array([0.2])], [np.array([0.6]), np.array([0.7])]
    assert Classes().agreement(right, given).tolist() == [1.0, 0.0]
    np.testing.assert_allclose(Classes().scores(right, given), [0.6, 0.3])
    assert Classes().detail(right[1], given[1], ("ham", "spam")) == "spam, not ham"


def test_classes_of_one_kind_have_no_area() -> None:
    rows = [np.array([0.4, 0.6])] * 2
    task = Classes().task(rows, rows, samples(2, labels=np.array([1, 1])), ())
    assert "AUC" not in task.figures
    assert task.value == 1.0


@pytest.mark.parametrize(
    ("labels", "classes", "right"),
    [
        (np.array(["dog", "cat"], np.object_), ("cat", "dog"), [1, 0]),
        (np.array([2, 1]), ("1", "2"), [1, 0]),
        (np.array([1.0, 0.0]), ("LABEL_0", "LABEL_1"), [1, 0]),
        (np.array([True, False]), ("False", "True"), [1, 0]),
    ],
)
def test_labels_are_names_of_classes_or_else_indices(
    labels: NDArray[Any], classes: Sequence[str], right: list[int]
) -> None:
    rows = [np.eye(2)[at] for at in right]
    assert Classes().task(rows, rows, samples(2, labels=labels), classes).value == 1.0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["dog", "cow"], "sample 1 must be one of cat, dog, or a class from 0 to 1, but got 'cow'"),
        ([0.5, 1.0], r"sample 0 must .* but got 0\.5"),
        (["cow", "horse"], "sample 0 must .* but got 'cow'"),
    ],
)
def test_a_label_of_another_model_is_named(labels: list[Any], message: str) -> None:
    rows = [np.array([0.4, 0.6])] * 2
    known = samples(2, labels=np.array(labels, np.object_))
    with pytest.raises(ConfigError, match=message):
        Classes().task(rows, rows, known, ("cat", "dog"))


def test_tokens_count_each() -> None:
    right = [np.eye(3)[[0, 1, 2, 0]], np.eye(3)[[1]], np.zeros((0, 3))]
    given = [np.eye(3)[[0, 1, 2, 1]], np.eye(3)[[1]], np.zeros((0, 3))]
    assert TokenClasses().agreement(right, given).tolist() == [0.75, 1.0, 1.0]
    assert TokenClasses().task(right, given, samples(3), ()).value == 0.8
    assert TokenClasses().detail(right[0], given[0], ()) == "1 of 4 tokens differ"
    with pytest.raises(ConfigError, match="leave out the labels"):
        TokenClasses().task(right, given, samples(3, labels=np.zeros(3)), ())


def test_lists_agree_by_what_is_first_and_overlap_by_what_is_there() -> None:
    right = [np.array(["a", "b", "c"]), np.array([["a", "b"], ["c", "d"]])]
    given = [np.array([b"b", b"a", b"x"]), np.array([["a", "b"], ["d", "x"]])]
    assert Ranks().agreement(right, given).tolist() == [0.0, 0.5]
    np.testing.assert_allclose(Ranks().cosines(right, given), [2 / 3, 0.75])
    assert Ranks().detail(right[0], given[0], ()) == "'b', not 'a'"
    labels = np.array(["a", "a"], np.object_)
    task = Ranks().task(right, given, samples(2, labels=labels), ())
    assert (task.metric, task.value, task.source_value) == ("accuracy", 0.5, 1.0)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_determination_is_scikit_learns(seed: int) -> None:
    labels, right, given = np.random.default_rng(seed).normal(5, 2, size=(3, 12))
    rows = [list(side[:, None]) for side in (right, given)]
    task = Values().task(*rows, samples(12, labels=labels), ())
    assert task.metric == "R²"
    assert task.value == pytest.approx(sklearn.metrics.r2_score(labels, given))
    assert task.source_value == pytest.approx(sklearn.metrics.r2_score(labels, right))
    own = Values().task(*rows, samples(12), ())
    assert own.value == pytest.approx(sklearn.metrics.r2_score(right, given))


def test_values_within_a_hundredth_agree() -> None:
    right = [np.array([value]) for value in (100.0, 100.0, 100.0, 0.0, np.nan, np.inf)]
    given = [np.array([value]) for value in (100.9, 101.1, np.nan, 0.9, np.nan, -np.inf)]
    assert Values().agreement(right, given).tolist() == [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]
    assert Values().scores(right, given)[2] == 0.0
    assert Values().detail(right[0], given[0], ()) == "100.9, not 100"


def test_labels_that_are_no_numbers_are_refused() -> None:
    rows = [np.zeros(1)] * 2
    with pytest.raises(ConfigError, match="must be numbers, but got 'a'"):
        Values().task(rows, rows, samples(2, labels=np.array(["a", "b"], np.object_)), ())
    with pytest.raises(ConfigError, match="answers of 3 values"):
        Values().task([np.zeros(3)] * 2, [np.zeros(3)] * 2, samples(2, labels=np.zeros(2)), ())
