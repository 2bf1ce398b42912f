"""Every kind of source on a real tritonserver, beside the library that it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.client import Client, InferResponse
from tritonkit.export import Card, Export

SOURCES = (
    "sentiment",
    "entities",
    "pictures",
    "places",
    "boosted",
    "leaves",
    "layers",
    "module",
)
FAMILY = {
    "minilm": "fp32",
    "minilm_fp16": "fp16",
    "minilm_int8": "int8",
    "minilm_int8_static": "int8_static",
    "minilm_w8": "w8",
    "minilm_mixed": "mixed",
    "minilm_auto": "auto",
}
SLACK = {"fp32": 1e-5, "fp16": 1e-4, "w8": 0.005, "mixed": 0.02, "int8": 0.03, "int8_static": 0.06}
"""By recipe: how much farther other texts may be than those of the card."""

CALLERS = 16


def rows(inputs: Mapping[str, Any], start: int, end: int) -> dict[str, Any]:
    return {name: column[start:end] for name, column in inputs.items()}


def agrees(answer: InferResponse, one: Any, start: int, end: int) -> None:
    """Numbers to 1e-5, everything else exactly."""
    assert set(answer.outputs) == set(one.expected)
    for name, expected in one.expected.items():
        due, given = expected[start:end], answer[name]
        assert len(given) == end - start
        if name == "spans":
            assert [json.loads(row) for row in given[:, 0]] == list(due)
        elif given.dtype.kind == "f":
            np.testing.assert_allclose(given, due, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(given, due)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("size", [1, 5, 12])
def test_batches_are_answered_as_the_library_does(
    client: Client, sources: Mapping[str, Any], name: str, size: int
) -> None:
    one = sources[name]
    for start in range(0, 12, size):
        end = min(start + size, 12)
        agrees(client.infer(name, rows(one.inputs, start, end)), one, start, end)


@pytest.mark.parametrize("name", SOURCES)
def test_callers_at_once_get_their_own_answers(
    client: Client, sources: Mapping[str, Any], name: str
) -> None:
    """Rows of all callers meet in the server's batches."""
    one = sources[name]
    count = len(next(iter(one.inputs.values())))
    asked = [number % count for number in range(64)]

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = callers.map(lambda at: client.infer(name, rows(one.inputs, at, at + 1)), asked)
        for at, answer in zip(asked, answers, strict=True):
            agrees(answer, one, at, at + 1)


def test_answers_tell_rows_apart(sources: Mapping[str, Any]) -> None:
    """Else the comparisons above would mean nothing."""
    for name, one in sources.items():
        for output, expected in one.expected.items():
            assert len({str(row) for row in expected}) > 1, (name, output)


def test_a_set_of_vectors_may_be_of_any_size(client: Client, sources: Mapping[str, Any]) -> None:
    """An axis that the torch module was given as dynamic."""
    vectors = sources["module"].inputs["vectors"][:3]
    scale = np.ones((3, 1), np.float32)
    once = client.infer("module", {"vectors": vectors, "scale": scale})["number"]
    twice = np.concatenate([vectors, vectors], axis=1)
    again = client.infer("module", {"vectors": twice, "scale": scale})["number"]
    np.testing.assert_allclose(once, again, atol=1e-5)


def card_of(family: Export, name: str) -> Card:
    (card,) = [card for card in family.cards if card.model == name]
    return card


def cosines(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one.astype(np.float64) * other).sum(axis=1) / norms)


def in_batches(client: Client, name: str, texts: list[str], size: int) -> NDArray[np.float32]:
    starts = range(0, len(texts), size)
    parts = [client.infer(name, {"text": texts[at : at + size]})["embedding"] for at in starts]
    return np.concatenate(parts)


@pytest.mark.parametrize("name", FAMILY)
def test_embeddings_are_as_near_the_sources_as_the_card_says(
    client: Client,
    family: Export,
    texts: list[str],
    reference: NDArray[np.float32],
    name: str,
) -> None:
    """
    On other texts than the card's, most of them in scripts that the model hardly knows.

    What is quantised loses more on those; what is not, nothing.
    """
    card = card_of(family, name)
    near = cosines(in_batches(client, name, texts, 20), reference)
    slack = SLACK[card.recipe.split()[0]]
    assert near.mean() >= card.accuracy.cosine_mean - slack
    assert near.min() >= card.accuracy.outputs["embedding"].cosine_min - slack


@pytest.mark.parametrize("name", FAMILY)
def test_texts_at_once_depend_on_each_other_only_where_the_card_says_so(
    client: Client,
    family: Export,
    texts: list[str],
    reference: NDArray[np.float32],
    name: str,
) -> None:
    card, some = card_of(family, name), [*texts[:8], *texts[-24:]]
    alone = np.concatenate([client.infer(name, {"text": [one]})["embedding"] for one in some])
    with ThreadPoolExecutor(CALLERS) as callers:
        found = callers.map(lambda one: client.infer(name, {"text": [one]})["embedding"], some)
        company = np.concatenate(list(found))
    if card.accuracy.batch.invariant:
        assert np.abs(alone - company).max() <= 2e-3
    else:
        assert cosines(alone, company).min() >= card.accuracy.batch.cosine_min - 0.03
