"""Tiers of a small teacher: as close as training makes them, and in the teacher's place."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.stages.recipe import Bench
from tritonkit.export.tiers.examples import Examples, mean_cosine
from tritonkit.export.tiers.recipe import TierRecipe
from tritonkit.export.tiers.tier import FEWEST, TIERS, Tier, make_tier


@pytest.fixture(params=TIERS)
def tier(request: pytest.FixtureRequest) -> Tier:
    made: Tier = request.getfixturevalue(request.param)
    return made


def _embed(source: SentenceTransformer, graph: Path, texts: list[str]) -> NDArray[np.float32]:
    samples = Samples({"text": np.array(texts, object)}, "test")
    return np.stack(Network(source, graph, threads=1).answer(samples)["embedding"])


def _without_training(
    teacher: SentenceTransformer, layers: tuple[int, ...], known: Examples
) -> NDArray[np.float32]:
    """The mean of the token embeddings that only these layers give, or none of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from transformers import BertModel

        model = BertModel.from_pretrained(teacher.transformer).eval()
    words = model.embeddings.word_embeddings
    model.encoder.layer = torch.nn.ModuleList([model.encoder.layer[at] for at in layers])
    means = []
    with torch.inference_mode():
        for row in known.rows:
            ids = torch.from_numpy(row)[None]
            tokens = model(ids).last_hidden_state if layers else words(ids)
            means.append(tokens[0].mean(dim=0).numpy())
    return np.stack(means)


@pytest.mark.parametrize("layers", [(0, 1), (0, 3)])
def test_a_student_is_closer_to_its_teacher_than_some_of_its_layers(
    layers: tuple[int, ...],
    teacher: SentenceTransformer,
    student: Tier,
    judged: list[str],
    known: Examples,
) -> None:
    naive = mean_cosine(_without_training(teacher, layers, known), known.embeddings)
    trained = mean_cosine(_embed(teacher, student.graph, judged), known.embeddings)
    assert trained > 0.8
    assert 1 - trained < 0.7 * (1 - naive)


def test_a_static_table_is_closer_than_the_mean_of_word_embeddings(
    teacher: SentenceTransformer, static: Tier, judged: list[str], known: Examples
) -> None:
    words = mean_cosine(_without_training(teacher, (), known), known.embeddings)
    tuned = mean_cosine(_embed(teacher, static.graph, judged), known.embeddings)
    assert tuned > 0.7
    assert 1 - tuned < 0.7 * (1 - words)


@pytest.mark.parametrize(
    ("kind", "layers", "share"), [("student", (0, 3), 0.8), ("static", (), 0.5)]
)
def test_training_brings_a_text_up_in_the_teachers_index(
    kind: str,
    layers: tuple[int, ...],
    share: float,
    teacher: SentenceTransformer,
    judged: list[str],
    known: Examples,
    request: pytest.FixtureRequest,
) -> None:
    """By chance a text is at 50 of 100; without training it is at 33 by layers, at 45 by words."""

    def rank(embeddings: NDArray[np.float32]) -> float:
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        scores = embeddings / lengths @ known.embeddings.T
        return float((scores > scores.diagonal()[:, None]).sum(axis=1).mean())

    tier: Tier = request.getfixturevalue(kind)
    trained = rank(_embed(teacher, tier.graph, judged))
    assert trained < share * rank(_without_training(teacher, layers, known))


def test_inputs_and_output_are_the_teachers(teacher_graph: Path, tier: Tier) -> None:
    def interface(graph: Path) -> list[tuple[str, str, int]]:
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        tensors = [*session.get_inputs(), *session.get_outputs()]
        return [(tensor.name, tensor.type, len(tensor.shape)) for tensor in tensors]

    assert interface(tier.graph) == interface(teacher_graph)
    model = onnx.load(tier.graph)
    onnx.checker.check_model(model, full_check=True)
    (output,) = model.graph.output
    batch, dimension = output.type.tensor_type.shape.dim
    assert batch.dim_param
    assert dimension.dim_value == 32


def test_embeddings_have_the_teachers_length(
    teacher: SentenceTransformer, tier: Tier, judged: list[str]
) -> None:
    lengths = np.linalg.norm(_embed(teacher, tier.graph, [*judged, ""]), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)


def test_a_static_embedding_depends_on_no_neighbour(
    teacher: SentenceTransformer, static: Tier, judged: list[str]
) -> None:
    together = _embed(teacher, static.graph, [judged[0], "ba", judged[1], ""])
    alone = [_embed(teacher, static.graph, [text])[0] for text in (judged[0], "ba", judged[1], "")]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-6)


def test_it_tells_how_it_was_made(tier: Tier, sentences: list[str]) -> None:
    assert tier.texts + tier.held_out == len(sentences)
    assert tier.epochs >= 1
    assert 0.7 < tier.cosine <= 1
    assert tier.graph.name == f"{tier.kind}.onnx"
    assert f"{tier.texts} texts" in tier.summary
    assert tier.layers == ((0, 3) if tier.kind == "student" else ())


def test_its_cosine_is_the_graphs(
    teacher: SentenceTransformer, teacher_graph: Path, static: Tier, sentences: list[str]
) -> None:
    cosine = mean_cosine(
        _embed(teacher, static.graph, sentences), _embed(teacher, teacher_graph, sentences)
    )
    assert abs(cosine - static.cosine) < 0.1


def test_static_bytes_are_the_same_for_the_same_texts(
    teacher: SentenceTransformer,
    teacher_graph: Path,
    static: Tier,
    sentences: list[str],
    tmp_path: Path,
) -> None:
    again = make_tier(
        "static",
        teacher,
        teacher_graph,
        # In another order, and some of them twice.
        [*sentences[::-1], *sentences[:50]],
        tmp_path,
        threads=1,
        seconds=120,
        progress=lambda _: None,
    )
    assert again.graph.read_bytes() == static.graph.read_bytes()


@pytest.mark.parametrize("kind", TIERS)
def test_an_interruption_leaves_nothing_behind(
    kind: str,
    teacher: SentenceTransformer,
    teacher_graph: Path,
    sentences: list[str],
    tmp_path: Path,
) -> None:
    def interrupt(line: str) -> None:
        assert line.startswith(f"{kind}: ")
        if "epoch 1" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_tier(
            kind,
            teacher,
            teacher_graph,
            sentences,
            tmp_path,
            threads=1,
            seconds=120,
            progress=interrupt,
        )
    assert list(tmp_path.iterdir()) == []


def test_little_time_makes_a_tier_of_fewer_texts(
    teacher: SentenceTransformer, teacher_graph: Path, sentences: list[str], tmp_path: Path
) -> None:
    tier = make_tier(
        "static",
        teacher,
        teacher_graph,
        sentences,
        tmp_path,
        threads=1,
        seconds=0,
        progress=lambda _: None,
    )
    assert FEWEST <= tier.texts + tier.held_out < len(sentences)
    assert tier.epochs == 0


def test_tokens_of_the_texts_have_a_vector_however_little_time_there_is(
    teacher: SentenceTransformer,
    teacher_graph: Path,
    sentences: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tritonkit.export.tiers.static._BATCH", 1)
    progress = list[str]()
    recipe = TierRecipe(
        kind="static",
        source=teacher,
        texts=sentences,
        threads=1,
        seconds=0,
        progress=progress.append,
    )
    assert f"trained on {len(sentences)} texts" in recipe.summary
    samples = teacher.builtin_samples()
    assert samples is not None
    graph = teacher.convert(tmp_path, samples).graph
    bench = Bench(graph=graph, calibration=[], loss=lambda _: 0.0, scratch=tmp_path)
    recipe.apply(bench, tmp_path / "static.onnx")

    # [PAD] and [UNK] are in no text.
    said = re.match(
        r"a vector for (\d+) of (\d+) tokens, as time ran out, tuned on", recipe.summary
    )
    assert said
    assert int(said[1]) == int(said[2]) - 2 > 100
    # What it says is what it was, not what it was to be.
    assert f"on {len(sentences)} texts" not in recipe.summary


@pytest.mark.parametrize(
    ("kind", "layers", "texts", "message"),
    [
        ("truncated", 4, FEWEST, "the tiers are student and static, but got 'truncated'"),
        ("student", 1, FEWEST, "2 layers or more, but this one has 1"),
        ("static", 1, FEWEST - 1, f"{FEWEST} different texts or more.*but got {FEWEST - 1}"),
        ("student", 4, 0, "but got 0"),
    ],
)
def test_what_no_tier_can_be_made_of_is_refused(
    kind: str,
    layers: int,
    texts: int,
    message: str,
    make_teacher: Callable[[int], SentenceTransformer],
    sentences: list[str],
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_tier(
            kind,
            make_teacher(layers),
            tmp_path / "none.onnx",
            [*sentences[:texts], *(text.upper() for text in sentences[:texts])],
            tmp_path,
            threads=1,
            seconds=1,
            progress=lambda _: None,
        )
