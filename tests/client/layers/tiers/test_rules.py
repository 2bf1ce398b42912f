"""What is dear: by tokens, by length, by what was learned."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client import InferRequest, LearnedRule, LengthRule, TokenRule
from tritonkit.client.layers.tiers.logistic import fit_logistic, logistic
from tritonkit.client.layers.tiers.row_sizes import estimated_tokens, tokens
from tritonkit.client.layers.tiers.rule_features import FEATURES, features
from tritonkit.client.policy.explain import explain
from tritonkit.client.policy.policy import Policy
from tritonkit.errors import ConfigError, PolicyError


def request(**inputs: Any) -> InferRequest:
    return InferRequest(model="m", inputs={k: np.asarray(v) for k, v in inputs.items()})


def texts(*values: Any) -> Any:
    return np.array(values, np.object_).reshape(-1, 1)


IDS = [[101, 7, 8, 102, 0, 0], [101, 7, 8, 9, 10, 102]]
MASK = [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("inputs", "options", "dear"),
    [
        ({"input_ids": IDS, "attention_mask": MASK}, {}, [False, True]),
        ({"input_ids": IDS}, {}, [False, True]),
        ({"input_ids": np.array(IDS) + 1}, {"pad": 1}, [False, True]),
        ({"tokens": IDS, "x": [[1.0], [2.0]]}, {"input": "tokens"}, [False, True]),
        ({"attention_mask": np.array(MASK) > 0}, {}, [False, True]),
        # The mask counts, whatever the ids are padded with.
        ({"input_ids": np.ones((2, 6), int), "attention_mask": MASK}, {}, [False, True]),
        ({"input_ids": [1, 2, 3, 4, 5]}, {}, [True]),
        ({"text": texts("one two three four", "one two three four five")}, {}, [False, True]),
        ({"text": texts(b"a b c d", "")}, {}, [False, False]),
        # A pair is as long as both.
        ({"text": texts("a b c"), "pair": texts("d e")}, {}, [True]),
        ({"text": texts("a b c"), "pair": texts("d e")}, {"input": "text"}, [False]),
        ({"text": texts("abc")}, {"tokenizer": list, "most": 2}, [True]),
        ({"text": texts("abc")}, {"tokenizer": len, "most": 3}, [False]),
        ({"x": [[1.0]]}, {}, True),
        ({"x": [[1.0]]}, {"otherwise": "simple"}, False),
        ({"text": texts("a b c d e")}, {"input": "other", "otherwise": "simple"}, False),
    ],
)
def test_tokens(inputs: Any, options: Any, dear: Any) -> None:
    """More than four."""
    assert TokenRule(**{"most": 4, **options})(request(**inputs)) == dear


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("  \n", 0),
        ("a few words", 3),
        ("stop!", 2),
        ("incomprehensibilities", 4),
        ("人人生而自由", 6),
        ("e-mail: x@y.z", 9),
    ],
)
def test_the_estimate(text: str, count: int) -> None:
    """A token for each six letters of a word, for each sign, for each Chinese character."""
    assert estimated_tokens(text) == count


def test_a_tokenizer_of_a_file(tmp_path: Path) -> None:
    """Its special tokens count; that it truncates and pads for its model does not."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "a": 4}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    made.enable_truncation(3)
    made.enable_padding(length=8)
    path = str(tmp_path / "tokenizer.json")
    made.save(path)
    rule = TokenRule(5, tokenizer=path)
    assert rule(request(text=texts("a", "a a a", "a a a a"))) == [False, False, True]
    (tmp_path / "wrong.json").write_text("{}")
    for wrong in ("wrong.json", "nowhere.json"):
        with pytest.raises(ConfigError, match=wrong):
            TokenRule(tokenizer=str(tmp_path / wrong))


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=5))
def test_ids_count_as_their_mask_does(ids: list[list[int]]) -> None:
    by_ids = tokens(request(input_ids=ids), len)
    by_mask = tokens(request(attention_mask=(np.array(ids) != 0).astype(int)), len)
    assert by_ids == by_mask == [sum(value != 0 for value in row) for row in ids]


@pytest.mark.parametrize(
    ("inputs", "options", "dear"),
    [
        ({"text": texts("abc", "abcd")}, {}, [False, True]),
        ({"text": texts("ab"), "pair": texts("cd")}, {}, [True]),
        ({"image": np.zeros((2, 2, 2))}, {"of": "elements"}, [True, True]),
        ({"image": np.zeros((2, 3)), "n": np.zeros((2, 9))}, {"of": "elements"}, [True, True]),
        (
            {"image": np.zeros((2, 3)), "n": np.zeros((2, 9))},
            {"of": "elements", "input": "image"},
            [False, False],
        ),
        ({"x": np.zeros((3, 9))}, {"of": "rows"}, False),
        ({"x": np.zeros((4, 1))}, {"of": "rows"}, True),
        ({"x": np.zeros((4, 1)), "z": np.zeros((2, 1))}, {"of": "rows", "input": "z"}, False),
        ({"x": np.zeros(())}, {"of": "rows", "otherwise": "simple"}, False),
        ({"x": [[1.0]]}, {}, True),
    ],
)
def test_length(inputs: Any, options: Any, dear: Any) -> None:
    """More than three."""
    assert LengthRule(3, **options)(request(**inputs)) == dear


def samples(count: int, seed: int) -> tuple[Any, list[bool]]:
    """Texts of which the long ones and those with a question mark are often dear."""
    random = np.random.default_rng(seed)
    words = random.integers(1, 40, count)
    asks = random.random(count) < 0.3
    score = 1.5 * (np.log1p(words) - np.log1p(15)) + 2.0 * asks
    dear = random.random(count) < 1 / (1 + np.exp(-2 * score))
    made = [" ".join(["w"] * n) + "?" * bool(q) for n, q in zip(words, asks, strict=True)]
    return {"text": texts(*made)}, dear.tolist()


def test_learns_what_is_dear() -> None:
    """Of rows that it has not seen it errs hardly more than who knows how they were made."""
    inputs, dear = samples(2_000, seed=1)
    rule = LearnedRule.fit(inputs, dear)
    unseen, truth = samples(2_000, seed=2)
    verdicts = np.array(rule(request(**unseen)))
    words = np.array([len(text.split()) for text in unseen["text"].ravel()])
    asks = np.array(["?" in text for text in unseen["text"].ravel()])
    best = 1.5 * (np.log1p(words) - np.log1p(15)) + 2.0 * asks > 0
    # A standard error of a share among 2,000 is 1.1 % at most.
    assert (verdicts == truth).mean() >= (best == truth).mean() - 0.022
    assert rule.weights["question"] > 0
    assert rule.weights["verb"] == rule.weights["digit"] == 0.0


def test_a_lower_threshold_sends_more_to_the_large_model() -> None:
    inputs, dear = samples(500, seed=3)
    shares = [
        np.mean(LearnedRule.fit(inputs, dear, threshold=at)(request(**inputs)))
        for at in (0.0, "10%", 0.5, 0.9, 1.0)
    ]
    assert shares == sorted(shares, reverse=True)
    assert (shares[0], shares[-1]) == (1.0, 0.0)


def test_tensors_without_text_are_learned_by_their_size() -> None:
    sizes = np.arange(3, 43)
    mask = (np.arange(50) < sizes[:, None]).astype(np.int64)
    rule = LearnedRule.fit({"attention_mask": mask}, (sizes > 20).tolist(), names=["tokens"])
    assert rule(request(attention_mask=mask[[0, 39]])) == [False, True]


def test_is_written_and_read(tmp_path: Path) -> None:
    inputs, dear = samples(200, seed=4)
    rule = LearnedRule.fit(inputs, dear, threshold="20%")
    path = tmp_path / "rule.json"
    rule.save(path)
    again = LearnedRule(str(path))
    assert (again.bias, again.weights, again.threshold) == (rule.bias, rule.weights, 0.2)
    assert again(request(**inputs)) == rule(request(**inputs))
    assert LearnedRule(str(path), threshold=0.7).threshold == 0.7
    assert repr(again) == f"LearnedRule({str(path)!r}, threshold=0.2)"


@pytest.mark.parametrize("ridge", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_fit_is_the_optimum(seed: int, ridge: float) -> None:
    """Of the penalised likelihood, as a general minimiser finds it."""
    scipy = pytest.importorskip("scipy.optimize")
    random = np.random.default_rng(seed)
    x = random.normal(size=(80, 3)) * [1, 100, 0.01] + [5, -300, 0]
    y = random.random(80) < 1 / (1 + np.exp(-(x[:, 0] - 5)))
    z = (x - x.mean(axis=0)) / x.std(axis=0)

    def loss(beta: Any) -> float:
        score = z @ beta[1:] + beta[0]
        penalty = ridge * (beta[1:] ** 2).sum() / 2
        return float(np.logaddexp(0, np.where(y, -score, score)).sum() + penalty)

    best = scipy.minimize(loss, np.zeros(4), tol=1e-12).x
    weights, bias = fit_logistic(x, y, ridge=ridge)
    assert weights * x.std(axis=0) == pytest.approx(best[1:], abs=1e-4)
    assert bias + weights @ x.mean(axis=0) == pytest.approx(best[0], abs=1e-4)


def test_separable_classes_and_constants_have_an_end() -> None:
    x = np.array([[n, 7.0] for n in range(20)])
    weights, bias = fit_logistic(x, np.arange(20) >= 10)
    assert np.isfinite([*weights, bias]).all()
    assert weights[0] > 0
    assert weights[1] == 0
    assert 8 < -bias / weights[0] < 11


def test_probabilities_at_the_ends() -> None:
    scores = np.array([-1e300, -800.0, 0.0, 800.0, 1e300])
    assert logistic(scores).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


@given(st.lists(st.text(), min_size=1, max_size=4))
@settings(max_examples=50)
def test_any_text_has_features(values: list[str]) -> None:
    """Finite ones, each row's by itself."""
    found = features(request(text=texts(*values)), FEATURES)
    assert found is not None
    assert found.shape == (len(values), len(FEATURES))
    assert np.isfinite(found).all()
    alone = features(request(text=texts(values[0])), FEATURES)
    assert alone is not None
    assert alone[0].tolist() == found[0].tolist()


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({}, "must hold a bias and weights"),
        ({"weights": {"colour": 1.0}}, "'colour'"),
        ({"weights": {"words": "1"}}, "a number for 'words', but got '1'"),
        ({"weights": {"words": math.nan}}, "a number for 'words', but got nan"),
        ({"weights": {"words": 1}, "bias": True}, "a number for 'bias', but got True"),
        ({"weights": {"words": 1}, "threshold": 2}, "threshold"),
        ({"weights": {"words": 1}, "format": 2}, "format 1, but got 2"),
    ],
)
def test_wrong_weights(tmp_path: Path, held: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LearnedRule(held)
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(held))
    with pytest.raises(ConfigError, match=message):
        LearnedRule(str(path))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TokenRule(-1), "most=-1"),
        (lambda: LengthRule(-1), "most=-1"),
        (lambda: LengthRule(1, of="words"), "characters, elements, rows, but got 'words'"),  # type: ignore[arg-type]
        (lambda: LearnedRule.fit({"text": texts(*"abc")}, [True, False, True]), "2 dear and 1"),
        (lambda: LearnedRule.fit({"text": texts("a")}, [True, False] * 10), "each of 20 samples"),
        (
            lambda: LearnedRule.fit({"text": texts(*"ab" * 10)}, [True, False] * 10, names=["x"]),
            "names must be of words",
        ),
    ],
)
def test_wrong_arguments(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


POLICY = """
server = "http://localhost:1"
[[layers]]
type = "tiers"
strategy = { type = "by_cost", rule = %s }
routes = [{ name = "a" }, { name = "b", model = "small" }]
"""


@pytest.mark.parametrize(
    ("rule", "made", "told"),
    [
        ('{ type = "tokens", most = 9 }', TokenRule(9), "rows of more than 9 tokens are dear"),
        (
            '{ type = "length", most = 9, of = "rows" }',
            LengthRule(9, of="rows"),
            "what has more than 9 rows is dear",
        ),
        (
            '{ type = "learned", weights = { weights = { words = 1.5 } }, otherwise = "simple" }',
            LearnedRule({"weights": {"words": 1.5}}),
            "a request that its rule cannot read counts as simple",
        ),
    ],
)
def test_in_a_file(rule: str, made: Any, told: str) -> None:
    policy = Policy(POLICY % rule)
    _, (tiers,) = policy.build()
    assert repr(tiers.strategy.rule) == repr(made)  # type: ignore[attr-defined]
    assert told in explain(policy)


@pytest.mark.parametrize(
    ("rule", "key", "message"),
    [
        ('{ type = "tokens", tokenizer = "/nowhere.json" }', "tokenizer", "'/nowhere.json' cannot"),
        ('{ type = "learned", weights = "/nowhere.json" }', "weights", "'/nowhere.json' cannot"),
        ('{ type = "length" }', "", "needs most: a whole number."),
        ('{ type = "length", most = 1, of = "word" }', "of", "characters, elements, rows, but got"),
    ],
)
def test_findings(rule: str, key: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(POLICY % rule)
    (finding,) = caught.value.findings  # type: ignore[attr-defined]
    assert finding.key == "layers[0].strategy.rule" + (f".{key}" if key else "")
    assert message in finding.message
