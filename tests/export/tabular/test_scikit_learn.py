from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from sklearn import (
    calibration,
    cluster,
    compose,
    decomposition,
    ensemble,
    feature_extraction,
    impute,
    linear_model,
    mixture,
    model_selection,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.base import BaseEstimator, TransformerMixin

from tritonkit.errors import ConfigError
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.scikit_learn.scikit_learn import ScikitLearn
from tritonkit.export.sources.source import Source
from tritonkit.export.sources.tabular.table import FEATURES

Rows = NDArray[np.float64]
Answer = Callable[[Source, Samples], tuple[Mapping[str, Any], Mapping[str, Any]]]

FEW = {"n_estimators": 8, "random_state": 0}


def target(rows: Rows, kind: str) -> Any:
    two = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    return {
        "two": two,
        "three": np.digitize(rows[:, 0], [-0.5, 0.5]),
        "texts": np.array(["bad", "good"])[two],
        "truth": two.astype(bool),
        "number": rows[:, 0] * 10 + 100,
        "pair": np.stack([rows[:, 0], -rows[:, 1]], axis=1),
        "none": None,
    }[kind]


def as_float32(rows: Rows) -> Samples:
    return Samples({FEATURES: rows.astype(np.float32)}, "test")


MATRIX: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "logistic regression": (
        pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()),
        "two",
        ("label", "probabilities"),
    ),
    "text labels": (linear_model.LogisticRegression(), "texts", ("label", "probabilities")),
    "truth labels": (tree.DecisionTreeClassifier(max_depth=4), "truth", ("label", "probabilities")),
    "random forest": (
        ensemble.RandomForestClassifier(**FEW),
        "three",
        ("label", "probabilities"),
    ),
    "gradient boosting": (
        ensemble.GradientBoostingClassifier(**FEW),
        "three",
        ("label", "probabilities"),
    ),
    "histogram boosting": (
        ensemble.HistGradientBoostingClassifier(max_iter=8),
        "two",
        ("label", "probabilities"),
    ),
    "neighbours": (neighbors.KNeighborsClassifier(3), "two", ("label", "probabilities")),
    "network": (
        neural_network.MLPClassifier((8,), max_iter=20, random_state=0),
        "three",
        ("label", "probabilities"),
    ),
    "poisson histogram": (
        ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=8),
        "number",
        ("value",),
    ),
    "histogram of texts": (
        ensemble.HistGradientBoostingClassifier(max_iter=8),
        "texts",
        ("label", "probabilities"),
    ),
    "soft voting": (
        ensemble.VotingClassifier(
            [("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())],
            voting="soft",
            weights=[1, 3],
        ),
        "texts",
        ("label", "probabilities"),
    ),
    "stacking": (
        ensemble.StackingClassifier(
            [("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())], cv=2
        ),
        "three",
        ("label", "probabilities"),
    ),
    "search": (
        model_selection.GridSearchCV(
            pipeline.make_pipeline(preprocessing.RobustScaler(), linear_model.LogisticRegression()),
            {"logisticregression__C": [0.1, 1]},
            cv=2,
        ),
        "two",
        ("label", "probabilities"),
    ),
    "svm of two": (svm.SVC(), "texts", ("label", "scores")),
    "linear svm": (svm.LinearSVC(), "two", ("label", "scores")),
    "svm": (svm.SVC(), "three", ("label", "scores")),
    "sgd": (linear_model.SGDClassifier(random_state=0), "texts", ("label", "scores")),
    "ridge": (linear_model.RidgeClassifier(), "two", ("label", "scores")),
    "linear regression": (linear_model.LinearRegression(), "number", ("value",)),
    "random forest regression": (ensemble.RandomForestRegressor(**FEW), "pair", ("value",)),
    "histogram regression": (
        ensemble.HistGradientBoostingRegressor(max_iter=8),
        "number",
        ("value",),
    ),
    "isolation forest": (ensemble.IsolationForest(**FEW), "none", ("label", "score")),
    "one class svm": (svm.OneClassSVM(), "none", ("label", "score")),
    "local outliers": (
        neighbors.LocalOutlierFactor(5, novelty=True),
        "none",
        ("label", "score"),
    ),
    "k means": (
        cluster.KMeans(3, n_init=1, random_state=0),
        "none",
        ("label", "distances"),
    ),
    "mixture": (mixture.GaussianMixture(2, random_state=0), "none", ("label", "probabilities")),
    "pca": (decomposition.PCA(2), "none", ("transformed",)),
    "scaler": (preprocessing.RobustScaler(), "none", ("transformed",)),
}


def assert_same(expected: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for name, values in expected.items():
        assert values.dtype == given[name].dtype
        if name == "label":
            assert np.mean(values == given[name]) > 0.99
        else:
            np.testing.assert_allclose(given[name], values, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("case", MATRIX)
def test_a_matrix_model_answers_the_same(case: str, rows: Rows, answer: Answer) -> None:
    """Every output is (batch, size), its name says what it is, and numbers are the library's."""
    model, kind, outputs = MATRIX[case]
    with warnings.catch_warnings(action="ignore"):
        model.fit(rows.astype(np.float32), target(rows, kind))
    source = ScikitLearn(model)
    expected, given = answer(source, as_float32(rows))
    assert tuple(given) == outputs
    assert_same(expected, given)
    assert source.judged == outputs[-1]
    if "label" in outputs:
        np.testing.assert_array_equal(
            expected["label"][:, 0], model.predict(rows.astype(np.float32))
        )
    if "probabilities" in outputs:
        proba = model.predict_proba(rows.astype(np.float32))
        np.testing.assert_allclose(expected["probabilities"], proba, atol=1e-6)
        assert source.comparison == "classes"
        assert len(source.labels) == proba.shape[1]
        if kind == "texts":
            assert source.labels == tuple(model.classes_)


def test_scores_that_are_not_one_a_class_have_no_labels(rows: Rows) -> None:
    """One score of two classes, and one of each pair of four, are compared as values."""
    four = np.digitize(rows[:, 0], [-0.7, 0, 0.7])
    for model, size in (
        (svm.LinearSVC().fit(rows, target(rows, "two")), 1),
        (svm.SVC(decision_function_shape="ovo").fit(rows, four), 6),
    ):
        source = ScikitLearn(model)
        assert (source.labels, source.comparison, source.judged) == ((), "values", "scores")
        converted = source.finish(onnx.ModelProto.FromString(source._graph))
        assert converted.graph.output[1].type.tensor_type.shape.dim[1].dim_value == size


def test_missing_numbers_are_as_in_the_library(gaps: Rows, rows: Rows, answer: Answer) -> None:
    for model in (
        ensemble.HistGradientBoostingClassifier(max_iter=8),
        pipeline.make_pipeline(impute.SimpleImputer(), linear_model.LogisticRegression()),
        ensemble.RandomForestClassifier(**FEW),
        ensemble.ExtraTreesRegressor(**FEW),
        calibration.CalibratedClassifierCV(ensemble.RandomForestClassifier(**FEW), cv=2),
        pipeline.make_pipeline(preprocessing.StandardScaler(), tree.DecisionTreeClassifier()),
    ):
        # Forests choose among float32 values; a boundary between two is none in float64.
        model.fit(gaps.astype(np.float32), target(rows, "two"))
        assert_same(*answer(ScikitLearn(model), as_float32(gaps)))


def mixed_pipeline(frame: Any, final: Any) -> Any:
    columns = compose.ColumnTransformer(
        [
            ("text", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("number", preprocessing.StandardScaler(), ["amount", "hour"]),
        ],
        remainder="passthrough",
    )
    labels = np.where(frame["amount"] * (frame["city"] == "Bern") > 40, "fraud", "fine")
    return pipeline.Pipeline([("columns", columns), ("model", final)]).fit(frame, labels)


@pytest.mark.parametrize("library", ["scikit-learn", "xgboost", "lightgbm"])
def test_columns_of_text_and_numbers_are_inputs_each(
    library: str, frame: Any, mixed: Samples, answer: Answer
) -> None:
    """A pipeline fitted on a DataFrame; the boosted trees of other libraries may end it."""
    if library == "xgboost":
        import xgboost

        classifier: Any = xgboost.XGBClassifier(n_estimators=8)
        model = mixed_pipeline(frame, linear_model.LogisticRegression())
        encoded = model["columns"].transform(frame)
        classifier.fit(encoded, frame["amount"] > 50)
        model.steps[-1] = ("model", classifier)
    elif library == "lightgbm":
        import lightgbm

        model = mixed_pipeline(frame, lightgbm.LGBMClassifier(n_estimators=8, verbose=-1))
    else:
        model = mixed_pipeline(frame, linear_model.LogisticRegression())
    source = ScikitLearn(model)
    feeds = source.prepare(mixed)
    assert {name: (feed.dtype.kind, feed.shape) for name, feed in feeds.items()} == {
        "city": ("O", (400, 1)),
        "hour": ("f", (400, 1)),
        "amount": ("f", (400, 1)),
        "distance": ("f", (400, 1)),
    }
    assert source.builtin_samples() is None
    expected, given = answer(source, mixed)
    assert_same(expected, given)
    if library != "xgboost":
        assert source.labels == ("fine", "fraud")
        np.testing.assert_array_equal(given["label"][:, 0], model.predict(frame))


@pytest.mark.parametrize("sparse", [True, False])
def test_zeros_of_a_sparse_matrix_are_missing_for_xgboost(
    sparse: bool, frame: Any, mixed: Samples, answer: Answer
) -> None:
    """And only of a sparse one; zeros decide where a row goes."""
    import xgboost

    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=sparse)
    columns = compose.ColumnTransformer([("text", encoder, ["city", "hour"])])
    model = pipeline.make_pipeline(columns, xgboost.XGBClassifier(n_estimators=8, n_jobs=1))
    label = (frame["city"] == "Oslo") ^ (frame["hour"] > 12)
    model.fit(frame, label)
    unknown = frame["city"].where(frame["distance"] < 1, "Rom").to_numpy(object)
    samples = Samples({**mixed.columns, "city": unknown}, "rows.csv")
    assert_same(*answer(ScikitLearn(model), samples))


@pytest.mark.parametrize("scaler", [preprocessing.StandardScaler(), preprocessing.RobustScaler()])
def test_trees_behind_a_scaler_take_the_branches_of_the_library(
    scaler: Any, rows: Rows, answer: Answer
) -> None:
    """XGBoost splits at values that it has seen; one off by a rounding goes the other way."""
    import xgboost

    tenths = np.round(rows * 10) / 8
    model = pipeline.make_pipeline(scaler, xgboost.XGBRegressor(n_estimators=8, n_jobs=1))
    model.fit(tenths, rows[:, 0])
    source = ScikitLearn(model)
    assert_same(*answer(source, as_float32(tenths)))
    builtin = source.builtin_samples()
    assert builtin is not None
    # Within the rows, not of their scaled values.
    assert np.ptp(builtin.columns[FEATURES]) > 6


def test_packages_of_the_estimators_inside_are_named(rows: Rows) -> None:
    import lightgbm
    import xgboost

    boosted = [
        ("x", xgboost.XGBClassifier(n_estimators=2, n_jobs=1)),
        ("l", lightgbm.LGBMClassifier(n_estimators=2, verbose=-1)),
    ]
    voting = ensemble.VotingClassifier(boosted, voting="soft")
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), voting)
    own = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime")
    with warnings.catch_warnings(action="ignore"):
        versions = ScikitLearn(model.fit(rows, target(rows, "two"))).versions
    assert set(versions) == {*own, "xgboost", "xgboost-cpu", "lightgbm"}
    assert ScikitLearn(model[0]).versions == own


def test_columns_may_have_any_name(frame: Any, mixed: Samples, answer: Answer) -> None:
    """Also those that are no names of variables, and those that only such names tell apart."""
    names = {"city": "home town", "hour": "a b", "amount": "a_b", "distance": "größe/km"}
    table = frame.rename(columns=names)
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore")
    columns = compose.ColumnTransformer([("text", encoder, ["home town"])], remainder="passthrough")
    model = pipeline.make_pipeline(columns, linear_model.LinearRegression())
    source = ScikitLearn(model.fit(table, frame["distance"] + frame["hour"]))
    samples = Samples({new: mixed.columns[old] for old, new in names.items()}, "rows.csv")
    assert set(source.prepare(samples)) == set(names.values())
    assert_same(*answer(source, samples))


def test_a_lone_column_may_be_called_features(frame: Any, answer: Answer) -> None:
    table = frame[["city"]].rename(columns={"city": FEATURES})
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore")
    columns = compose.ColumnTransformer([("text", encoder, [FEATURES]), ("none", encoder, [])])
    model = pipeline.make_pipeline(columns, linear_model.LinearRegression())
    source = ScikitLearn(model.fit(table, frame["amount"]))
    assert_same(*answer(source, Samples({FEATURES: table[FEATURES].to_numpy()}, "rows.csv")))


def test_a_column_transformer_may_be_in_another(frame: Any, mixed: Samples, answer: Answer) -> None:
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore")
    inner = compose.ColumnTransformer([("text", encoder, ["city"])], remainder="passthrough")
    columns = compose.ColumnTransformer([("inner", inner, ["hour", "city"])])
    model = pipeline.make_pipeline(columns, linear_model.LinearRegression())
    assert_same(*answer(ScikitLearn(model.fit(frame, frame["amount"])), mixed))


def test_samples_that_cannot_be_answered_are_said_in_words(
    frame: Any, gaps: Rows, rows: Rows, tmp_path: Path
) -> None:
    logistic = linear_model.LogisticRegression().fit(rows, target(rows, "two"))
    with pytest.raises(ConfigError, match=r"^scikit-learn does not answer .* contains NaN.$"):
        ScikitLearn(logistic).convert(tmp_path, Samples({FEATURES: gaps}, "rows.npz"))
    indicator = impute.SimpleImputer(add_indicator=True).fit(gaps)
    with pytest.raises(ConfigError, match=r"of shape \[10\], but its ONNX graph \[5\]"):
        ScikitLearn(indicator).convert(tmp_path, Samples({FEATURES: gaps}, "rows.npz"))
    encoder = compose.ColumnTransformer([("hour", preprocessing.OneHotEncoder(), ["hour"])])
    encoder.set_params(hour__sparse_output=False)
    for wrong in (np.inf, 1e30):
        with pytest.raises(ConfigError, match=r"'hour' .* must hold whole numbers of 64 bits"):
            ScikitLearn(encoder.fit(frame)).prepare(Samples({"hour": [1.0, wrong]}, "rows.csv"))


def test_whole_numbers_that_are_categories_are_integers(frame: Any, answer: Answer) -> None:
    """A column that nobody reads is no input; one read through imputing is a text."""
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = compose.ColumnTransformer(
        [
            ("hour", encoder, ["hour"]),
            ("city", preprocessing.OrdinalEncoder(), ["city"]),
            ("rest", pipeline.make_pipeline(impute.SimpleImputer()), ["amount"]),
        ]
    )
    model = pipeline.make_pipeline(columns, ensemble.RandomForestRegressor(**FEW))
    model.fit(frame, frame["amount"])
    source = ScikitLearn(model)
    samples = Samples({n: frame[n].to_numpy() for n in ("hour", "city", "amount")}, "rows.csv")
    assert {n: f.dtype.kind for n, f in source.prepare(samples).items()} == {
        "city": "O",
        "hour": "i",
        "amount": "f",
    }
    assert_same(*answer(source, samples))
    with pytest.raises(ConfigError, match=r"column 'hour' .* must hold whole numbers"):
        source.prepare(
            Samples({"hour": [1.5], "city": np.array(["a"], object), "amount": [1.0]}, "rows.csv")
        )
    with pytest.raises(ConfigError, match=r"'city' .* must hold texts, but row 0 is None"):
        source.prepare(
            Samples({"hour": [1], "city": np.array([None]), "amount": [1.0]}, "rows.csv")
        )


def test_texts_are_counted(frame: Any, mixed: Samples, answer: Answer) -> None:
    """By the words of scikit-learn, which are not of ASCII alone."""
    texts = (frame["city"] + " é a-b x1_2").astype(object)
    table = frame.assign(city=texts)
    samples = Samples({**mixed.columns, "city": texts.to_numpy(object)}, "rows.csv")
    for pattern in (r"(?u)\b\w\w+\b", r"\w+"):
        words = feature_extraction.text.TfidfVectorizer(token_pattern=pattern)
        columns = compose.ColumnTransformer([("words", words, "city")], sparse_threshold=0)
        model = pipeline.make_pipeline(columns, linear_model.LogisticRegression())
        model.fit(table, frame["amount"] > 50)
        assert_same(*answer(ScikitLearn(model), samples))


def test_named_numbers_are_one_input(frame: Any, mixed: Samples, answer: Answer) -> None:
    model = linear_model.LinearRegression().fit(frame[["distance", "hour"]], frame["amount"])
    source = ScikitLearn(model)
    assert source.prepare(mixed)[FEATURES].shape == (400, 2)
    assert_same(*answer(source, mixed))
    assert source.builtin_samples() is not None


def test_an_array_of_texts_is_one_input(frame: Any, answer: Answer) -> None:
    texts = frame[["city", "city"]].to_numpy()
    model = pipeline.make_pipeline(
        preprocessing.OneHotEncoder(handle_unknown="ignore"), linear_model.LogisticRegression()
    ).fit(texts, frame["amount"] > 50)
    source = ScikitLearn(model)
    assert source.builtin_samples() is None
    assert_same(*answer(source, Samples({FEATURES: texts}, "texts.jsonl")))


class Doubled(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer of somebody's own."""

    def fit(self, rows: Any, labels: Any = None) -> Doubled:
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows: Any) -> Any:
        return rows * 2

    def __sklearn_is_fitted__(self) -> bool:
        return True


def refused(model: Any, samples: Samples | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        ScikitLearn(model, samples=samples)
    return str(caught.value)


def test_what_cannot_be_converted_is_named(frame: Any, rows: Rows) -> None:
    two = target(rows, "two")
    logistic = linear_model.LogisticRegression()
    own = refused(pipeline.make_pipeline(Doubled(), logistic).fit(rows, two))
    assert "Doubled in Pipeline cannot be converted" in own
    assert "Another estimator in its place" in own
    log = preprocessing.FunctionTransformer(np.log1p)
    function = refused(pipeline.make_pipeline(log, logistic).fit(np.abs(rows), two))
    assert "'functiontransformer' is a FunctionTransformer with the function log1p" in function
    assert "is not fitted" in refused(linear_model.LogisticRegression())
    assert "is no estimator" in refused({"a": 1})
    assert "several labels" in refused(
        ensemble.RandomForestClassifier(**FEW).fit(rows, np.stack([two, 1 - two], axis=1))
    )
    assert "DBSCAN is nothing that export can serve" in refused(cluster.DBSCAN().fit(rows))
    assert "answers several labels a row" in refused(
        linear_model.RidgeClassifier().fit(rows, np.stack([two, 1 - two], axis=1))
    )
    hard = ensemble.VotingClassifier([("a", logistic), ("b", naive_bayes.GaussianNB())])
    assert "without a number to judge it by" in refused(hard.fit(rows, two))
    assert "the scores of OneVsRestClassifier" in refused(
        multiclass.OneVsRestClassifier(svm.LinearSVC()).fit(rows, two)
    )
    whole = np.abs(np.round(rows))
    assert "categorical features of HistGradientBoostingClassifier" in refused(
        ensemble.HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]).fit(
            whole, two
        )
    )
    texts = impute.SimpleImputer(strategy="most_frequent").fit(frame[["city"]])
    assert "takes nan for a missing text" in refused(texts)
    skipped = pipeline.Pipeline([("nothing", "passthrough"), ("model", logistic)])
    assert "step 'nothing' is 'passthrough'; leave it out" in refused(skipped.fit(rows, two))
    assert "fit it on a pandas DataFrame" in refused(
        pipeline.make_pipeline(
            preprocessing.OneHotEncoder(handle_unknown="ignore"), linear_model.LogisticRegression()
        ).fit(frame[["city", "hour"]].to_numpy(), two)
    )


def test_columns_that_skl2onnx_would_not_find_are_named(frame: Any) -> None:
    encoder, logistic = preprocessing.OneHotEncoder(), linear_model.LogisticRegression()
    label = frame["amount"] > 50

    def fitted(columns: Any) -> Any:
        transformer = compose.ColumnTransformer([("text", encoder, columns)])
        return pipeline.make_pipeline(transformer, logistic).fit(frame, label)

    assert "from city to hour cannot be converted" in refused(fitted(slice("city", "hour")))
    assert "column -4, counted from the end" in refused(fitted([-4]))
    assert "inside CalibratedClassifierCV cannot be converted; put it in front" in refused(
        calibration.CalibratedClassifierCV(fitted(["city"]), cv=2).fit(frame, label)
    )


def test_a_column_must_not_be_called_as_an_output(frame: Any) -> None:
    renamed = frame.rename(columns={"distance": "value"})
    columns = compose.ColumnTransformer(
        [("text", preprocessing.OneHotEncoder(), ["city"])], remainder="passthrough"
    )
    model = pipeline.make_pipeline(columns, linear_model.LinearRegression())
    said = refused(model.fit(renamed, frame["amount"]))
    assert "a column is called value, as an output of the model is; rename the column" in said


def test_types_that_the_model_cannot_tell_are_the_samples(
    frame: Any, mixed: Samples, answer: Answer
) -> None:
    union = pipeline.FeatureUnion([("scaled", preprocessing.StandardScaler())])
    columns = compose.ColumnTransformer(
        [
            ("union", union, ["hour", "distance"]),
            ("text", preprocessing.OneHotEncoder(sparse_output=False), ["city"]),
        ]
    )
    model = pipeline.make_pipeline(columns, linear_model.LinearRegression())
    model.fit(frame, frame["amount"])
    said = refused(model)
    assert "whether hour, distance hold texts or numbers cannot be read from the model" in said
    assert "give samples with the columns city, hour, distance, such as --samples" in said
    source = ScikitLearn(model, samples=mixed)
    kinds = {name: feed.dtype.kind for name, feed in source.prepare(mixed).items()}
    assert kinds == {"city": "O", "hour": "i", "distance": "f"}
    assert_same(*answer(source, mixed))
