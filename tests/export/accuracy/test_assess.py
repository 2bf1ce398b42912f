from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tritonkit.errors import ConfigError, ExportError
from tritonkit.export.accuracy.accuracy import Accuracy
from tritonkit.export.accuracy.assess import assess
from tritonkit.export.accuracy.budget import Budget, default_budget
from tritonkit.export.accuracy.distance import distance
from tritonkit.export.network import Network
from tritonkit.export.samples.extremes import with_extremes
from tritonkit.export.samples.samples import Samples

Open = Callable[[Any, Path], Network]
Make = Callable[..., Path]


def judge(source: Any, file: Path, samples: Samples, network: Open) -> Accuracy:
    return assess(source, network(source, file), samples, source.answers(samples))


@pytest.mark.parametrize(
    ("kind", "file"), [("embedder", "linear"), ("classifier", "softmax"), ("regressor", "linear")]
)
def test_a_right_graph_is_within_the_floor_of_fp32_and_does_not_depend_on_its_batch(
    kind: str, file: str, samples: Samples, network: Open, request: pytest.FixtureRequest
) -> None:
    source = request.getfixturevalue(kind)
    every = with_extremes(source, samples)
    accuracy = judge(source, request.getfixturevalue(file), every, network)
    assert default_budget("fp32", source.comparison).findings(accuracy) == ()
    assert accuracy.batch.invariant
    assert accuracy.batch.agreement == 1.0
    assert accuracy.agreement == 1.0
    assert accuracy.value == pytest.approx(1.0, abs=1e-6)
    assert accuracy.source_value == 1.0
    assert accuracy.outputs["judged"].max_difference < 1e-4
    assert accuracy.outputs["judged"].not_finite == 0
    assert (accuracy.samples, accuracy.extremes) == (40, every.extremes)
    assert every.extremes > 0


@pytest.mark.parametrize(
    ("kind", "file"), [("embedder", "linear"), ("classifier", "softmax"), ("regressor", "linear")]
)
def test_swapped_weights_are_refused_in_every_precision(
    kind: str,
    file: str,
    samples: Samples,
    graph: Make,
    network: Open,
    request: pytest.FixtureRequest,
) -> None:
    source = request.getfixturevalue(kind)
    weight = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)[:, [1, 0, 2, 4, 3]]
    nodes = {
        "linear": [("MatMul", ["x", "w"], "judged")],
        "softmax": [("MatMul", ["x", "w"], "y"), ("Softmax", ["y"], "judged")],
    }[file]
    accuracy = judge(source, graph(*nodes, w=weight), samples, network)
    for precision in ("fp32", "fp16", "int8", "int8_static", "w8", "w4", "mixed"):
        assert default_budget(precision, source.comparison).findings(accuracy)


def test_one_sample_that_is_answered_otherwise_is_the_worst_and_refused_for_fp32(
    embedder: Any, samples: Samples, linear: Path, network: Open
) -> None:
    reference = {"judged": [row.copy() for row in embedder.answers(samples)["judged"]]}
    reference["judged"][17] = reference["judged"][17][::-1].copy()
    accuracy = assess(embedder, network(embedder, linear), samples, reference)
    assert accuracy.worst[0].position == 17
    assert accuracy.worst[0].score == accuracy.cosine_min < 0.9
    assert accuracy.worst[1].score > 0.999
    assert Budget(min_cosine_each=0.999).findings(accuracy)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_samples_of_one_class_are_judged(
    count: int,
    classifier: Any,
    embedder: Any,
    samples: Samples,
    softmax: Path,
    linear: Path,
    network: Open,
) -> None:
    few = Samples({"text": samples.columns["text"][:count]}, "test", np.ones(count, np.int64))
    accuracy = judge(classifier, softmax, with_extremes(classifier, few), network)
    assert (accuracy.samples, accuracy.metric) == (count, "accuracy")
    assert accuracy.value == accuracy.source_value
    assert "AUC" not in accuracy.figures
    accuracy = judge(embedder, linear, with_extremes(embedder, few), network)
    assert (accuracy.samples, accuracy.value) == (count, 1.0)
    assert accuracy.batch.invariant


def test_a_graph_that_takes_off_the_mean_of_its_batch_depends_on_it(
    embedder: Any, samples: Samples, graph: Make, network: Open
) -> None:
    weight = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    file = graph(
        ("MatMul", ["x", "w"], "y"),
        ("ReduceMean", ["y"], "mean", {"axes": [0], "keepdims": 1}),
        ("Mul", ["mean", "share"], "part"),
        ("Sub", ["y", "part"], "judged"),
        w=weight,
        share=np.array(0.02, np.float32),
    )
    accuracy = judge(embedder, file, samples, network)
    assert not accuracy.batch.invariant
    assert accuracy.batch.cosine_min < 1.0
    assert accuracy.batch.max_difference > 0.0
    assert Budget(batch_invariant=True).findings(accuracy)


def test_a_graph_that_answers_otherwise_in_a_large_batch_depends_on_it(
    embedder: Any, samples: Samples, graph: Make, network: Open
) -> None:
    """As a kernel does that computes many rows in another way than a few."""
    weight = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    file = graph(
        ("MatMul", ["x", "w"], "y"),
        ("Shape", ["x"], "rows", {"end": 1}),
        ("Greater", ["rows", "many"], "large"),
        ("Cast", ["large"], "off", {"to": 1}),
        ("Mul", ["off", "share"], "part"),
        ("Add", ["y", "part"], "judged"),
        w=weight,
        many=np.array([16], np.int64),
        share=np.array([0.5], np.float32),
    )
    accuracy = judge(embedder, file, with_extremes(embedder, samples), network)
    assert accuracy.cosine_min > 0.9999
    assert not accuracy.batch.invariant
    assert accuracy.batch.cosine_min < 0.9999


@pytest.mark.parametrize("invariant", [True, False])
def test_short_samples_are_asked_beside_long_ones_where_that_matters(
    embedder: Any, graph: Make, samples: Samples, invariant: bool
) -> None:
    """Else by size: padding to the longest of a batch is most of the work."""
    asked: list[list[int]] = []

    class Watched(Network):
        def answer_batches(self, samples: Samples, batches: Any) -> Any:
            asked[:] = [list(batch) for batch in batches]
            return super().answer_batches(samples, asked)

    shares = np.full(1, 0 if invariant else 0.02, np.float32)
    file = graph(
        ("MatMul", ["x", "w"], "y"),
        ("ReduceMean", ["y"], "mean", {"axes": [0], "keepdims": 1}),
        ("Mul", ["mean", "share"], "part"),
        ("Sub", ["y", "part"], "judged"),
        w=np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32),
        share=shares,
    )
    every = with_extremes(embedder, samples)
    assess(embedder, Watched(embedder, file, threads=1), every, embedder.answers(every))
    sizes = [every.sizes[batch] for batch in asked]
    assert sorted(at for batch in asked for at in batch) == list(range(len(every)))
    assert [len(batch) for batch in asked[:5]] == [8] * 5
    ordered = all(max(a) <= min(b) for a, b in pairwise(sizes[:5]))
    assert ordered == invariant
    for batch in asked:
        assert len({at < every.judged for at in batch}) == 1


def test_batch_normalisation_that_still_trains_depends_on_its_batch(
    classifier: Any, samples: Samples, graph: Make, network: Open
) -> None:
    weight = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    file = graph(
        ("MatMul", ["x", "w"], "y"),
        ("ReduceMean", ["y"], "mean", {"axes": [0], "keepdims": 1}),
        ("Sub", ["y", "mean"], "centred"),
        ("Mul", ["centred", "centred"], "squares"),
        ("ReduceMean", ["squares"], "variance", {"axes": [0], "keepdims": 1}),
        ("Add", ["variance", "one"], "safe"),
        ("Sqrt", ["safe"], "deviation"),
        ("Div", ["centred", "deviation"], "normal"),
        ("Softmax", ["normal"], "judged"),
        w=weight,
        one=np.array(1.0, np.float32),
    )
    batch = judge(classifier, file, samples, network).batch
    assert not batch.invariant
    assert batch.agreement < 1.0


@pytest.mark.filterwarnings("ignore")
def test_dynamic_int8_depends_on_its_batch(
    embedder: Any, samples: Samples, linear: Path, network: Open, tmp_path: Path
) -> None:
    """Its activations have one scale a batch."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(linear), str(tmp_path / "int8.onnx"), weight_type=QuantType.QInt8)
    accuracy = judge(embedder, tmp_path / "int8.onnx", samples, network)
    assert not accuracy.batch.invariant
    assert 0.9 < accuracy.batch.cosine_min < 1.0
    assert default_budget("int8", "embeddings").findings(accuracy) == ()
    assert default_budget("fp32", "embeddings").findings(accuracy)


def test_a_source_without_a_batch_axis_is_asked_one_by_one(
    embedder: Any, samples: Samples, graph: Make, network: Open
) -> None:
    embedder.__class__ = type("Alone", (type(embedder),), {"batched": False})
    weight = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    file = graph(
        ("Reshape", ["x", "one"], "row"),
        ("MatMul", ["row", "w"], "judged"),
        w=weight,
        one=np.array([1, 6], np.int64),
    )
    accuracy = judge(embedder, file, samples, network)
    assert accuracy.value == 1.0
    assert accuracy.batch.invariant


def test_a_name_beside_the_judged_output_is_compared_too(
    embedder: Any, samples: Samples, linear: Path, network: Open
) -> None:
    class Named(Network):
        def answer_batches(self, samples: Samples, batches: Any) -> Any:
            answers = super().answer_batches(samples, batches)
            return {**answers, "label": [np.array("a")] * len(answers["judged"])}

    reference = dict(embedder.answers(samples))
    reference["label"] = [np.array("a" if at else "b") for at in range(40)]
    accuracy = assess(embedder, Named(embedder, linear, threads=1), samples, reference)
    assert accuracy.figures["same label"] == 39 / 40
    assert list(accuracy.outputs) == ["judged"]


def test_nan_where_the_source_has_a_number_is_within_no_budget(
    embedder: Any, samples: Samples, graph: Make, network: Open
) -> None:
    """The logarithm of a negative number, for some samples."""
    weight = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    file = graph(
        ("MatMul", ["x", "w"], "y"),
        ("Add", ["y", "three"], "z"),
        ("Log", ["z"], "log"),
        ("Mul", ["log", "zero"], "nothing"),
        ("Add", ["y", "nothing"], "judged"),
        w=weight,
        three=np.array(3.0, np.float32),
        zero=np.array(0.0, np.float32),
    )
    accuracy = judge(embedder, file, samples, network)
    assert 0 < accuracy.outputs["judged"].not_finite < len(samples)
    assert accuracy.worst[0].score == -1.0
    (finding,) = Budget().findings(accuracy)
    assert "'judged' is NaN or infinite" in finding
    reference = embedder.answers(samples)
    given = network(embedder, file).answer(samples)
    assert distance(embedder, reference, given) == np.inf


def test_nan_that_the_source_has_too_is_equal(
    embedder: Any, samples: Samples, linear: Path, network: Open
) -> None:
    answers = network(embedder, linear).answer(samples)["judged"]
    broken = [row.copy() for row in answers]
    broken[3][:] = np.nan
    broken[4][1] = np.inf
    assert distance(embedder, {"judged": broken}, {"judged": broken}) == pytest.approx(0.0)


def test_extremes_count_in_outputs_and_not_in_the_metric(
    classifier: Any, samples: Samples, softmax: Path, network: Open
) -> None:
    every = with_extremes(classifier, samples)
    rows = classifier.answers(every)["judged"]
    wrong = {"judged": [*rows[: every.judged], *(np.roll(row, 1) for row in rows[every.judged :])]}
    accuracy = assess(classifier, network(classifier, softmax), every, wrong)
    assert (accuracy.value, accuracy.agreement) == (1.0, 1.0)
    assert accuracy.figures["largest difference of a probability"] < 1e-5
    assert accuracy.cosine_min > 0.999
    assert accuracy.outputs["judged"].max_difference > 0.1
    assert accuracy.worst[0].position >= accuracy.samples == 40


@pytest.mark.parametrize("given", [40, 6, 2])
def test_the_worst_are_samples_of_the_user_and_few_extremes(
    classifier: Any, samples: Samples, softmax: Path, network: Open, given: int
) -> None:
    every = with_extremes(classifier, samples.take(range(given)))
    assert every.extremes == 8
    rows = classifier.answers(every)["judged"]
    wrong = {"judged": [*rows[: every.judged], *(np.roll(row, 1) for row in rows[every.judged :])]}
    worst = assess(classifier, network(classifier, softmax), every, wrong).worst
    assert len(worst) == 10
    extremes = [one for one in worst if one.position >= given]
    assert len(extremes) == max(3, 10 - given)
    assert [one.score for one in worst] == sorted(one.score for one in worst)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: {"other": rows}, "no output 'other', which the source has; it has judged"),
        (lambda rows: {"judged": [row[:2] for row in rows]}, r"shape \[5\], the source's \[2\]"),
        (lambda rows: {"judged": rows[:-1]}, "40 answers to 39 samples"),
        (
            lambda rows: {"judged": [row.astype(str) for row in rows]},
            "gives float32, the source <U",
        ),
    ],
)
def test_answers_of_another_shape_are_no_answers(
    change: Any, message: str, embedder: Any, samples: Samples, linear: Path, network: Open
) -> None:
    reference = change(embedder.answers(samples)["judged"])
    with pytest.raises(ExportError, match=message):
        assess(embedder, network(embedder, linear), samples, reference)


def test_a_label_that_is_no_class_is_named(
    classifier: Any, samples: Samples, softmax: Path, network: Open
) -> None:
    labels = np.zeros(40, np.int64)
    labels[7] = 5
    labelled = Samples(samples.columns, "test", labels)
    with pytest.raises(ConfigError, match="sample 7 must be a class from 0 to 4, but got 5"):
        judge(classifier, softmax, labelled, network)


def test_distance_grows_with_the_error(embedder: Any, classifier: Any, samples: Samples) -> None:
    noise = np.random.default_rng(0).normal(size=(40, 5))
    for source in (embedder, classifier):
        reference = source.answers(samples)
        distances = [
            distance(
                source,
                reference,
                {
                    "judged": [
                        row + size * off
                        for row, off in zip(reference["judged"], noise, strict=True)
                    ]
                },
            )
            for size in (0.0, 0.001, 0.01, 0.1)
        ]
        assert distances[0] == pytest.approx(0.0, abs=1e-12)
        assert distances == sorted(distances)
        assert len(set(distances)) == 4
