"""One repository with a model of every kind of source, and what their libraries answer."""

from __future__ import annotations

import io
import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tests.brief import briefly_timed

from tritonkit.client import Client
from tritonkit.export import Export, Samples, export_model
from tritonkit.export.samples import texts
from tritonkit.export.sources.scikit_learn.scikit_learn import ScikitLearn
from tritonkit.export.sources.torch.torch_module import TorchModule
from tritonkit.server import EmbeddedServer
from tritonkit.server.testing import TritonServer

FAMILY = ("fp32", "fp16", "int8", "int8_static", "w8", "mixed", "auto")
LENGTH = 64
SENTENCES = (
    "Where is the nearest station?",
    "It rained for three days.",
    "Anna Meyer moved from Basel to Lisbon in May.",
    "No.",
    "The second edition corrects many errors of the first, but adds some of its own.",
    "a",
    "ALL of this is in capitals, OR NEARLY SO!",
    "naïve café in Zürich",
    "3.14 is not π",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
    "Please send the parcel back to us within two weeks.",
    "x = y + 1",
)
TOKEN_LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC")

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Served:
    """
    A served model, rows to ask it with, and what its source's library answers to them.

    Args:
        export: Of `export_model`.
        inputs: By input, an array of all rows.
        expected: By output, an answer for each row.
    """

    export: Export
    inputs: Arrays
    expected: Mapping[str, Sequence[Any]]


@pytest.fixture(scope="session")
def tiny_bert(
    minilm: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Sequence[str]], Path]:
    """Makes the folder of a tiny BERT with random weights and MiniLM's tokenizer."""
    import torch
    import transformers

    def make(architecture: str, labels: Sequence[str] = ()) -> Path:
        folder = tmp_path_factory.mktemp("source") / architecture.lower()
        with warnings.catch_warnings(action="ignore"):
            tokenizer = transformers.AutoTokenizer.from_pretrained(minilm, model_max_length=LENGTH)
            config = transformers.BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=48,
                max_position_embeddings=LENGTH,
                # Far from uniform, so that answers differ by more than rounding.
                initializer_range=0.3,
                **({"id2label": dict(enumerate(labels))} if labels else {}),
            )
            torch.manual_seed(3)
            getattr(transformers, architecture)(config).eval().save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_embedder(tiny_bert: Callable[..., Path]) -> Path:
    """A sentence-transformers folder: a tiny BERT, mean pooling, length 1."""
    folder = tiny_bert("BertModel")
    kinds = ("Transformer", "Pooling", "Normalize")
    modules = [
        {"idx": n, "name": str(n), "path": f"{n}_{kind}" if n else "", "type": f"st.{kind}"}
        for n, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    pooling = {"embedding_dimension": 32, "pooling_mode": "mean"}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": LENGTH}))
    return folder


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers from four numbers to three, and the place of the largest."""
    generator = np.random.default_rng(0)
    shapes = {"w1": (4, 8), "b1": (8,), "w2": (8, 3)}
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w1", "b1"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "w2"], ["scores"]),
            helper.make_node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0),
        ],
        "layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info("best", TensorProto.INT64, ["N"]),
        ],
        [
            numpy_helper.from_array(generator.standard_normal(shape).astype(np.float32), name)
            for name, shape in shapes.items()
        ],
    )
    file = tmp_path_factory.mktemp("source") / "layers.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), file)
    return file


@pytest.fixture(scope="session")
def shared_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all of it is exported to; read it, do not write."""
    return tmp_path_factory.mktemp("acceptance") / "model_repository"


@pytest.fixture(scope="session")
def shallow(minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MiniLM's first two layers of six, with the weights that were learned."""
    from safetensors.numpy import load_file, save_file

    folder = tmp_path_factory.mktemp("source") / "shallow"
    shutil.copytree(minilm, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.bin"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    weights = load_file(minilm / "model.safetensors")
    above = tuple(f"encoder.layer.{number}." for number in range(2, 6))
    kept = {name: array for name, array in weights.items() if not name.startswith(above)}
    save_file(kept, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def reference(
    shallow: Path, reference_of: Callable[[Path], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """The embeddings of `texts` by the source of the family."""
    return reference_of(shallow)


@pytest.fixture(scope="session")
def family(shallow: Path, shared_repository: Path) -> Export:
    """
    A shallow MiniLM in each precision and as auto chooses, searched for a moment.

    A third of the layers: all that is done, is done to every layer alike, and the ranking
    of layers that mixed needs takes a ninth of the time.
    Judged by the built-in texts but the longest, which are most of what judging costs.
    """
    short = [text for text in texts.TEXTS if len(text) < 200]
    samples = Samples({"text": np.array(short, np.object_)}, "short texts")
    with briefly_timed():
        return export_model(
            shallow,
            shared_repository,
            name="minilm",
            variants=FAMILY,
            samples=samples,
            time_budget=1,
        )


@pytest.fixture(scope="session")
def sources(
    tiny_bert: Callable[..., Path],
    onnx_file: Path,
    shared_repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Served]:
    """A model of each other kind of source, by its name."""
    scratch = tmp_path_factory.mktemp("files")
    with warnings.catch_warnings(action="ignore"):
        made = {
            "sentiment": _sentiment(tiny_bert),
            "entities": _entities(tiny_bert),
            "pictures": _pictures(scratch / "vit"),
            "places": _places(),
            "boosted": _boosted(scratch / "boosted.json"),
            "leaves": _leaves(scratch / "leaves.txt"),
            "layers": _layers(onnx_file),
            "module": _module(),
        }
    return {
        name: Served(
            export_model(source, shared_repository, name=name, samples=samples), inputs, expected
        )
        for name, (source, samples, inputs, expected) in made.items()
    }


@pytest.fixture(scope="session")
def server(
    sources: Mapping[str, Served],
    family: Export,
    shared_repository: Path,
    triton_server_session: TritonServer,
) -> EmbeddedServer:
    """Serves all of it."""
    assert all(one.export.written for one in sources.values())
    assert family.written
    return triton_server_session(shared_repository)


@pytest.fixture(scope="session")
def client(server: EmbeddedServer) -> Iterator[Client]:
    with Client(server.http_url) as opened:
        yield opened


Made = tuple[Any, Samples | None, Arrays, Mapping[str, Sequence[Any]]]
"""Source, samples to judge it by, rows to ask with, and the library's answers to those."""


def _sentiment(tiny_bert: Callable[..., Path]) -> Made:
    import transformers

    folder = tiny_bert("BertForSequenceClassification", ("bad", "so-so", "schön"))
    ask = transformers.pipeline("text-classification", str(folder), device="cpu", top_k=None)
    classes = list(ask.model.config.id2label.values())
    answers = [{one["label"]: one["score"] for one in row} for row in ask(list(SENTENCES))]
    probabilities = [[answer[name] for name in classes] for answer in answers]
    labels = [[max(answer, key=lambda name: answer[name]).encode()] for answer in answers]
    expected = {"label": labels, "probabilities": probabilities}
    return folder, None, {"text": _strings(SENTENCES)}, expected


def _entities(tiny_bert: Callable[..., Path]) -> Made:
    import transformers

    folder = tiny_bert("BertForTokenClassification", TOKEN_LABELS)
    ask = transformers.pipeline(
        "token-classification", str(folder), device="cpu", aggregation_strategy="simple"
    )
    spans = [
        [
            {
                "start": one["start"],
                "end": one["end"],
                "label": one["entity_group"],
                "score": pytest.approx(float(one["score"]), abs=1e-5),
                "text": text[one["start"] : one["end"]],
            }
            for one in ask(text)
        ]
        for text in SENTENCES
    ]
    return folder, None, {"text": _strings(SENTENCES)}, {"spans": spans}


def _pictures(folder: Path) -> Made:
    import torch
    import transformers
    from PIL import Image

    torch.manual_seed(0)
    config = transformers.ViTConfig(
        image_size=32,
        patch_size=8,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=48,
        initializer_range=0.2,
        id2label=dict(enumerate(("cat", "dog", "éléphant", "鳥", "a fish"))),
    )
    model = transformers.ViTForImageClassification(config).eval()
    model.save_pretrained(folder)
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    processor.save_pretrained(folder)
    generator = np.random.default_rng(1)
    files, images = [], []
    for number, kind in enumerate(("PNG", "JPEG", "WEBP") * 4):
        coarse = generator.integers(0, 256, (5 + number, 9, 3), np.uint8)
        file = io.BytesIO()
        Image.fromarray(coarse.repeat(8, 0).repeat(6, 1)).save(file, kind)
        files.append(file.getvalue())
        images.append(Image.open(file).convert("RGB"))
    with torch.inference_mode():
        logits = model(**processor(images, return_tensors="pt")).logits
    probabilities = logits.softmax(dim=-1).numpy()
    labels = [[config.id2label[row.argmax()].encode()] for row in probabilities]
    expected = {"label": labels, "probabilities": probabilities}
    return folder, None, {"image": _strings(files)}, expected


def _places() -> Made:
    import pandas
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    generator = np.random.default_rng(2)
    frame = pandas.DataFrame(
        {
            "city": np.array(["Bern", "Oslo", "Zürich"], object)[generator.integers(0, 3, 300)],
            "hour": generator.integers(0, 24, 300),
            "amount": np.exp(generator.normal(size=300)) * 50,
        }
    ).astype({"city": object})
    abroad = (frame["city"] == "Oslo") | (frame["amount"] > 120)
    steps = ColumnTransformer(
        [
            ("city", OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("numbers", StandardScaler(), ["hour", "amount"]),
        ]
    )
    pipeline = make_pipeline(steps, LogisticRegression(max_iter=1000))
    pipeline.fit(frame, np.where(abroad, "abroad", "home"))
    samples = Samples({name: frame[name].to_numpy() for name in frame}, "made up")
    asked = frame[:40].astype({"amount": np.float32})
    inputs = {name: asked[[name]].to_numpy() for name in asked}
    labels = [[label.encode()] for label in pipeline.predict(asked)]
    expected = {"label": labels, "probabilities": pipeline.predict_proba(asked)}
    return ScikitLearn(pipeline, samples=samples), samples, inputs, expected


def _boosted(file: Path) -> Made:
    import xgboost

    rows, classes = _table(3)
    model = xgboost.XGBClassifier(n_estimators=12, max_depth=4, n_jobs=1).fit(rows, classes)
    model.save_model(file)
    expected = {
        "label": model.predict(rows[:40])[:, np.newaxis],
        "probabilities": model.predict_proba(rows[:40]),
    }
    return file, None, {"features": rows[:40]}, expected


def _leaves(file: Path) -> Made:
    import lightgbm

    rows, classes = _table(4)
    booster = lightgbm.train(
        {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1},
        lightgbm.Dataset(rows, classes),
        num_boost_round=12,
    )
    booster.save_model(file)
    probabilities = booster.predict(rows[:40])
    labels = probabilities.argmax(axis=1)[:, np.newaxis]
    expected = {"label": labels, "probabilities": probabilities}
    return file, None, {"features": rows[:40]}, expected


def _layers(file: Path) -> Made:
    import onnxruntime

    rows = np.random.default_rng(5).standard_normal((40, 4)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    scores, best = session.run(["scores", "best"], {"x": rows})
    return file, None, {"x": rows}, {"scores": scores, "best": best[:, np.newaxis]}


def _module() -> Made:
    import torch

    class Pooled(torch.nn.Module):
        """Any number of vectors, and a scale, to a number for each of three."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.GELU())
            self.head = torch.nn.Linear(16, 3)

        def forward(self, vectors: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
            return self.head(self.encoder(vectors).mean(dim=1)) * scale

    torch.manual_seed(0)
    module = Pooled()
    inputs = {"vectors": torch.randn(40, 5, 6), "scale": torch.rand(40, 1)}
    source = TorchModule(
        module,
        {name: tensor[:4] for name, tensor in inputs.items()},
        output_names=["number"],
        dynamic_axes={"vectors": {1: "count"}},
    )
    with torch.inference_mode():
        expected = {"number": module.eval()(**inputs).numpy()}
    return source, None, {name: tensor.numpy() for name, tensor in inputs.items()}, expected


def _table(seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(400, 5)).astype(np.float32)
    classes = np.digitize(rows[:, 0] + rows[:, 1] ** 2, [0.2, 1.2])
    rows[generator.random(rows.shape) < 0.05] = np.nan
    return rows, classes


def _strings(values: Sequence[str | bytes]) -> NDArray[np.object_]:
    return np.array(values, np.object_)[:, np.newaxis]
