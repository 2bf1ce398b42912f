from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.tabular import column_ranges
from tritonkit.export.graphs.tree_graph import tree_graph
from tritonkit.export.graphs.trees import float32_at_most
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Source
from tritonkit.export.sources.tabular.table import FEATURES
from tritonkit.export.sources.tabular_file import read_tabular
from tritonkit.export.sources.trees.boosted import Boosted
from tritonkit.export.sources.trees.lightgbm import LightGBM
from tritonkit.export.sources.trees.lightgbm_trees import lightgbm_trees
from tritonkit.export.sources.trees.xgboost import XGBoost

Rows = NDArray[np.float64]
Answer = Callable[[Source, Samples], tuple[Mapping[str, Any], Mapping[str, Any]]]

SMALL = {"n_estimators": 12, "n_jobs": 1, "random_state": 0}
QUIET = {**SMALL, "verbose": -1}


def targets(rows: Rows) -> dict[str, Any]:
    two = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    return {
        "two": two,
        "three": np.digitize(rows[:, 0], [-0.5, 0.5]),
        "texts": np.array(["bad", "good"])[two],
        "number": rows[:, 0] * 10 + 1000,
        "count": np.abs(rows[:, 1] * 3).astype(int),
        "pair": np.stack([rows[:, 0], -rows[:, 1]], axis=1),
        "zeros": np.zeros(len(rows)),
        "ones": np.ones(len(rows)),
    }


def as_float32(rows: Rows) -> Samples:
    return Samples({FEATURES: rows.astype(np.float32)}, "test")


XGB = {
    "binary": (xgboost.XGBClassifier, {}, "two"),
    "binary random forest": (xgboost.XGBRFClassifier, {}, "two"),
    "binary dart": (xgboost.XGBClassifier, {"booster": "dart", "rate_drop": 0.3}, "two"),
    "binary hinge": (xgboost.XGBClassifier, {"objective": "binary:hinge"}, "two"),
    "binary unbalanced base": (xgboost.XGBClassifier, {"base_score": 0.1}, "two"),
    "multi": (xgboost.XGBClassifier, {}, "three"),
    "multi softmax": (xgboost.XGBClassifier, {"objective": "multi:softmax"}, "three"),
    "multi parallel": (xgboost.XGBClassifier, {"num_parallel_tree": 2}, "three"),
    "regression": (xgboost.XGBRegressor, {}, "number"),
    "absolute error": (xgboost.XGBRegressor, {"objective": "reg:absoluteerror"}, "number"),
    "logistic regression": (xgboost.XGBRegressor, {"objective": "reg:logistic"}, "two"),
    "poisson": (xgboost.XGBRegressor, {"objective": "count:poisson"}, "count"),
    "gamma": (xgboost.XGBRegressor, {"objective": "reg:gamma"}, "number"),
    "tweedie": (xgboost.XGBRegressor, {"objective": "reg:tweedie"}, "count"),
    "two targets": (xgboost.XGBRegressor, {}, "pair"),
    "three quantiles": (
        xgboost.XGBRegressor,
        {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]},
        "number",
    ),
    "never": (xgboost.XGBRegressor, {"objective": "binary:logistic"}, "zeros"),
    "always": (xgboost.XGBRegressor, {"objective": "binary:logistic"}, "ones"),
    "poisson of zeros": (xgboost.XGBRegressor, {"objective": "count:poisson"}, "zeros"),
    "single leaves": (xgboost.XGBClassifier, {"gamma": 1e9}, "three"),
}

LGBM = {
    "binary": (lightgbm.LGBMClassifier, {}, "two"),
    "binary steep": (lightgbm.LGBMClassifier, {"sigmoid": 2.0}, "two"),
    "random forest": (
        lightgbm.LGBMClassifier,
        {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        "two",
    ),
    "dart": (lightgbm.LGBMClassifier, {"boosting_type": "dart"}, "two"),
    "multi": (lightgbm.LGBMClassifier, {}, "three"),
    "multi one against all": (lightgbm.LGBMClassifier, {"objective": "multiclassova"}, "three"),
    "no missing": (lightgbm.LGBMClassifier, {"use_missing": False}, "two"),
    "single leaves": (lightgbm.LGBMClassifier, {"min_split_gain": 1e9}, "three"),
    "regression": (lightgbm.LGBMRegressor, {}, "number"),
    "quantile": (lightgbm.LGBMRegressor, {"objective": "quantile"}, "number"),
    "square root": (lightgbm.LGBMRegressor, {"reg_sqrt": True}, "number"),
    "poisson": (lightgbm.LGBMRegressor, {"objective": "poisson"}, "count"),
    "cross entropy": (lightgbm.LGBMRegressor, {"objective": "cross_entropy"}, "two"),
}


def assert_same(expected: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for name, values in expected.items():
        if name == "label":
            assert values.dtype == given[name].dtype
            # A tie of rounding may fall either way.
            assert np.mean(values == given[name]) > 0.99
        else:
            np.testing.assert_allclose(given[name], values, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("case", XGB)
def test_xgboost_answers_the_same(case: str, rows: Rows, gaps: Rows, answer: Answer) -> None:
    """Missing values, float32 rows: probabilities and values but for rounding."""
    kind, settings_, target = XGB[case]
    model = kind(**{**SMALL, **settings_}).fit(gaps, targets(rows)[target])
    source = XGBoost(model)
    expected, given_ = answer(source, as_float32(gaps))
    assert_same(expected, given_)
    if hasattr(model, "predict_proba") and case != "multi softmax":
        proba = model.predict_proba(gaps.astype(np.float32))
        np.testing.assert_allclose(expected["probabilities"], proba, atol=1e-6)
        np.testing.assert_array_equal(expected["label"][:, 0], model.predict(gaps))
        assert source.judged == "probabilities"
        assert source.comparison == "classes"
    elif case in ("never", "always"):
        # A regressor answers the probability of the second class.
        second = model.predict(gaps.astype(np.float32))
        np.testing.assert_allclose(expected["probabilities"][:, 1], second, atol=1e-6)
    elif case != "multi softmax":
        np.testing.assert_allclose(
            expected["value"].squeeze(), model.predict(gaps.astype(np.float32)), rtol=1e-6
        )
        assert (source.judged, source.comparison) == ("value", "values")


@pytest.mark.parametrize("case", LGBM)
def test_lightgbm_answers_the_same(case: str, rows: Rows, gaps: Rows, answer: Answer) -> None:
    kind, settings_, target = LGBM[case]
    model = kind(**{**QUIET, **settings_}).fit(gaps, targets(rows)[target])
    expected, given_ = answer(LightGBM(model), as_float32(gaps))
    assert_same(expected, given_)
    exact = gaps.astype(np.float32).astype(np.float64)
    if hasattr(model, "predict_proba"):
        proba = model.predict_proba(exact)
        np.testing.assert_allclose(expected["probabilities"], proba, atol=1e-6)
    else:
        np.testing.assert_allclose(expected["value"][:, 0], model.predict(exact), rtol=1e-6)


def test_lightgbm_takes_a_missing_value_for_zero_if_it_saw_none(
    rows: Rows, gaps: Rows, answer: Answer
) -> None:
    model = lightgbm.LGBMClassifier(**QUIET).fit(rows, targets(rows)["two"])
    assert_same(*answer(LightGBM(model), as_float32(gaps)))


def test_lightgbm_answers_text_labels(rows: Rows, answer: Answer) -> None:
    model = lightgbm.LGBMClassifier(**QUIET).fit(rows, targets(rows)["texts"])
    source = LightGBM(model)
    expected, given_ = answer(source, as_float32(rows))
    assert source.labels == ("bad", "good")
    assert set(given_["label"][:, 0]) == {"bad", "good"}
    assert_same(expected, given_)


def test_lightgbm_branches_on_categories(rows: Rows, gaps: Rows, answer: Answer) -> None:
    """Known categories, unknown ones and missing ones go where the library sends them."""
    generator = np.random.default_rng(3)
    table = gaps.copy()
    table[:, 2] = generator.integers(0, 12, len(rows))
    target = (table[:, 2] % 3 == 0) ^ (rows[:, 0] > 1)
    model = lightgbm.LGBMClassifier(**QUIET, min_data_per_group=1, cat_smooth=1)
    model.fit(table, target, categorical_feature=[2])
    assert any(tree["num_cat"] for tree in model.booster_.dump_model()["tree_info"])
    table[::5, 2] = 40
    table[::7, 2] = np.nan
    source = LightGBM(model)
    assert_same(*answer(source, as_float32(table)))
    # LightGBM leaves fractions out, and -0.5 is category 0.
    table[:, 2] = generator.uniform(-3, 15, len(rows))
    assert_same(*answer(source, as_float32(table)))
    builtin = source.builtin_samples()
    assert builtin is not None
    assert_same(*answer(source, builtin))


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e38, 1e38), st.floats(width=32, allow_nan=False))
def test_a_threshold_in_float32_decides_as_in_float64(threshold: float, value: float) -> None:
    rounded = np.float32(float32_at_most(threshold))
    assert (value <= threshold) == (np.float32(value) <= rounded)


def test_an_xgboost_file_answers_as_its_booster(
    rows: Rows, gaps: Rows, answer: Answer, tmp_path: Path
) -> None:
    model = xgboost.XGBClassifier(**SMALL).fit(gaps, targets(rows)["three"])
    file = tmp_path / "fraud.ubj"
    model.save_model(file)
    source = read_tabular(file, allow_pickle=False)
    expected, given_ = answer(source, as_float32(gaps))
    assert_same(expected, given_)
    np.testing.assert_allclose(expected["probabilities"], model.predict_proba(gaps), atol=1e-6)
    assert (source.name, source.kind, source.path) == ("fraud", "XGBoost file", str(file))
    assert source.labels == ("0", "1", "2")


def test_a_lightgbm_file_answers_as_its_booster(
    rows: Rows, gaps: Rows, answer: Answer, tmp_path: Path
) -> None:
    model = lightgbm.LGBMRegressor(**QUIET).fit(gaps, targets(rows)["number"])
    file = tmp_path / "prices.txt"
    model.booster_.save_model(file)
    expected, given_ = answer(read_tabular(file, allow_pickle=False), as_float32(gaps))
    assert_same(expected, given_)


def test_a_model_that_stopped_early_uses_its_best_trees(
    rows: Rows, answer: Answer, tmp_path: Path
) -> None:
    """Of an estimator's file too; but of a bare Booster all trees count, as in the library."""
    target = targets(rows)["two"]
    model = xgboost.XGBClassifier(**{**SMALL, "n_estimators": 40}, early_stopping_rounds=2)
    model.fit(rows, target, eval_set=[(rows[::3], 1 - target[::3])], verbose=False)
    assert model.best_iteration < model.get_booster().num_boosted_rounds() - 1
    model.save_model(tmp_path / "early.json")
    for one in (model, xgboost.Booster(model_file=str(tmp_path / "early.json"))):
        expected, given_ = answer(XGBoost(one), as_float32(rows))
        assert_same(expected, given_)
        np.testing.assert_allclose(expected["probabilities"], model.predict_proba(rows), atol=1e-6)
    booster = model.get_booster()
    expected, given_ = answer(XGBoost(booster), as_float32(rows))
    every = booster.predict(xgboost.DMatrix(rows))
    np.testing.assert_allclose(given_["probabilities"][:, 1], every, atol=1e-6)


def test_columns_may_be_named(frame: Any, answer: Answer) -> None:
    """Samples by name, in any order, with others among them, or as one matrix."""
    numbers = frame[["hour", "amount", "distance"]].astype(float)
    model = xgboost.XGBRegressor(**SMALL).fit(numbers, frame["amount"])
    named = Samples({name: frame[name].to_numpy() for name in reversed(frame.columns)}, "a.csv")
    matrix = Samples({FEATURES: numbers.to_numpy()}, "a.npz")
    source = XGBoost(model)
    by_name, by_row = answer(source, named), answer(source, matrix)
    assert_same(*by_name)
    np.testing.assert_array_equal(by_name[0]["value"], by_row[0]["value"])
    np.testing.assert_array_equal(by_name[1]["value"], by_row[1]["value"])


def test_columns_without_names_are_taken_in_their_order(rows: Rows, answer: Answer) -> None:
    """As a CSV has them, whose header the model does not know."""
    source = XGBoost(xgboost.XGBRegressor(**SMALL).fit(rows, rows[:, 0]))
    columns = {name: rows[:, at] for at, name in enumerate("edcba")}
    expected, given_ = answer(source, Samples(columns, "a.csv"))
    assert_same(expected, given_)
    np.testing.assert_array_equal(expected["value"], answer(source, as_float32(rows))[0]["value"])
    with pytest.raises(ConfigError, match=r"or the 5 columns .* in its order, but have e, d, c, b"):
        source.prepare(Samples({name: columns[name] for name in "edcb"}, "a.csv"))


def test_named_columns_may_be_given_as_clients_send_them(frame: Any, answer: Answer) -> None:
    """Each of shape (samples, 1)."""
    numbers = frame[["hour", "amount"]].astype(float)
    source = XGBoost(xgboost.XGBRegressor(**SMALL).fit(numbers, frame["distance"]))
    flat = Samples({name: frame[name].to_numpy() for name in numbers}, "a.npz")
    sent = Samples({name: frame[[name]].to_numpy() for name in numbers}, "a.npz")
    expected, given_ = answer(source, sent)
    assert_same(expected, given_)
    np.testing.assert_array_equal(expected["value"], answer(source, flat)[0]["value"])


def test_a_sample_that_the_library_refuses_is_said_in_words(rows: Rows, tmp_path: Path) -> None:
    source = XGBoost(xgboost.XGBRegressor(**SMALL).fit(rows, rows[:, 0]))
    infinite = Samples({FEATURES: np.full((2, 5), np.inf)}, "rows.npz")
    with pytest.raises(ConfigError, match=r"^XGBoost does not answer the samples: .*inf") as caught:
        source.convert(tmp_path, infinite)
    assert "\n" not in str(caught.value)


def test_a_missing_column_is_named(frame: Any, tmp_path: Path) -> None:
    numbers = frame[["hour", "amount"]].astype(float)
    source = XGBoost(xgboost.XGBRegressor(**SMALL).fit(numbers, frame["amount"]))
    with pytest.raises(ConfigError, match=r"lack amount; the model takes hour, amount, and they"):
        source.prepare(Samples({"hour": np.zeros(2)}, "rows.csv"))
    texts = np.array(["a", "b"], object)
    with pytest.raises(ConfigError, match=r"'amount' of the samples from rows.csv must hold num"):
        source.prepare(Samples({"hour": np.zeros(2), "amount": texts}, "rows.csv"))
    with pytest.raises(ConfigError, match=r"must be rows of 2 columns, but is of shape \[2, 3\]"):
        source.prepare(Samples({FEATURES: np.zeros((2, 3))}, "rows.npz"))


def test_builtin_samples_reach_both_sides_of_thresholds(rows: Rows) -> None:
    model = lightgbm.LGBMRegressor(**QUIET).fit(rows * 1000 + 5000, rows[:, 0])
    source = LightGBM(model)
    samples = source.builtin_samples()
    assert samples is not None
    assert samples.origin == "random, seed 0"
    column = samples.columns[FEATURES][:, 0]
    assert column.min() < 5000 < column.max()
    assert np.ptp(column) > 1000
    again = source.builtin_samples()
    assert again is not None
    np.testing.assert_array_equal(again.columns[FEATURES], samples.columns[FEATURES])
    assert len(np.unique(model.predict(samples.columns[FEATURES]))) > 50


def test_the_digest_is_the_models(rows: Rows) -> None:
    target = targets(rows)
    one, same, other = (
        XGBoost(xgboost.XGBRegressor(**SMALL).fit(rows, target[name]))
        for name in ("number", "number", "count")
    )
    assert one.digest == same.digest
    assert one.digest != other.digest
    assert len(one.digest) == 64


def refused(model: Any) -> str:
    kind = LightGBM if type(model).__module__.startswith("lightgbm") else XGBoost
    with pytest.raises(ConfigError) as caught:
        kind(model)
    return str(caught.value)


def test_what_cannot_be_converted_is_named(rows: Rows) -> None:
    import pandas

    two = targets(rows)["two"]
    categories = pandas.DataFrame({"a": pandas.Categorical((rows[:, 0] > 0).astype(int))})
    linear = xgboost.XGBRegressor(booster="gblinear", n_estimators=2).fit(rows, rows[:, 0])
    assert "booster gblinear" in refused(linear)
    assert "categorical features" in refused(
        xgboost.XGBClassifier(**SMALL, enable_categorical=True).fit(categories, two)
    )
    assert "missing=nan" in refused(xgboost.XGBClassifier(**SMALL, missing=-1).fit(rows, two))
    assert "objective binary:logitraw" in refused(
        xgboost.XGBClassifier(**SMALL, objective="binary:logitraw").fit(rows, two)
    )
    assert "one_output_per_tree" in refused(
        xgboost.XGBRegressor(**SMALL, multi_strategy="multi_output_tree").fit(rows, rows[:, :2])
    )
    assert "answers 2 labels a row" in refused(
        xgboost.XGBClassifier(**SMALL).fit(rows, np.stack([two, 1 - two], axis=1))
    )
    assert "has no trees" in refused(
        xgboost.XGBClassifier(**{**SMALL, "n_estimators": 0}).fit(rows, two)
    )
    assert "was fitted on 1 classes, but answers 2" in refused(
        lightgbm.LGBMClassifier(**QUIET).fit(rows, np.zeros(len(rows), int))
    )
    assert "is not fitted" in refused(xgboost.XGBClassifier())
    assert "is no model of XGBoost" in refused({})
    zeros = np.where(np.abs(rows) < 0.5, 0, rows)
    assert "zero_as_missing" in refused(
        lightgbm.LGBMClassifier(**QUIET, zero_as_missing=True).fit(zeros, two)
    )
    assert "categories of pandas" in refused(
        lightgbm.LGBMClassifier(**QUIET).fit(categories.assign(b=rows[:, 1]), two)
    )
    assert "linear trees" in refused(
        lightgbm.LGBMRegressor(**QUIET, linear_tree=True).fit(rows, rows[:, 0] ** 2)
    )
    assert "objective cross_entropy_lambda" in refused(
        lightgbm.LGBMRegressor(**QUIET, objective="cross_entropy_lambda").fit(rows, two)
    )
    assert "is not fitted" in refused(lightgbm.LGBMClassifier())


@pytest.mark.parametrize(
    ("kind", "name", "content", "said"),
    [
        (XGBoost, "cut.json", '{"learner": {"attributes"', "XGBoost can load: Expecting"),
        (XGBoost, "other.json", json.dumps({"a": 1}), "XGBoost can load: Invalid cast, from Null"),
        (XGBoost, "noise.ubj", "\x07" * 100, r"XGBoost can load: Check failed: .* Its save_model"),
        (XGBoost, "empty.json", "", "XGBoost can load: Check failed"),
        (LightGBM, "texts.txt", "hello\n", "no model that LightGBM can load: its first line"),
        (LightGBM, "cut.txt", "tree\nversion=v4\n", "no model that LightGBM can load"),
    ],
)
def test_a_broken_file_is_refused(
    kind: type[Boosted], name: str, content: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(ConfigError, match=said) as caught:
        kind.load(file)
    assert str(file) in str(caught.value)
    assert str(caught.value).isprintable()
    assert "[bt]" not in str(caught.value)


def test_what_a_child_refuses_is_said_without_its_traceback(tmp_path: Path) -> None:
    file = tmp_path / "cut.json"
    file.write_text('{"learner": {"attributes"')
    with pytest.raises(ConfigError, match=r"^\S+cut.json is no model that XGBoost can load"):
        read_tabular(file, allow_pickle=False)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rows.csv is no tabular model that export knows"):
        read_tabular(tmp_path / "rows.csv", allow_pickle=False)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.json cannot be read: No such file"):
        XGBoost(tmp_path / "none.json")


def test_columns_without_a_split_are_between_minus_3_and_3(rows: Rows) -> None:
    model = lightgbm.LGBMRegressor(**QUIET).fit(rows, rows[:, 0])
    graph = tree_graph(lightgbm_trees(model), FEATURES, 6)
    assert column_ranges(graph, FEATURES, 6)[5] == (-3, 3)
