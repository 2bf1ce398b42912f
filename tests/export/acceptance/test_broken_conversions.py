"""Conversions that went wrong on purpose: refused, and the repository is as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tritonkit.errors import ExportError
from tritonkit.export import Samples, export_model
from tritonkit.export.samples.extremes import with_extremes
from tritonkit.export.samples.texts import SENTENCES
from tritonkit.export.sources.source import Converted, Source
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.sources.torch.torch_module import TorchModule

NAME = "m"
Change = Callable[[Any], None]


@pytest.fixture
def standing(onnx_file: Path, tmp_path: Path) -> Iterator[Path]:
    """A repository with a model of this name, which must stay as it is."""
    repository = tmp_path / "here" / "repository"
    export_model(onnx_file, repository, name=NAME)
    before = contents(tmp_path / "here")
    yield repository
    assert contents(tmp_path / "here") == before


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def tampered(
    tiny_embedder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., SentenceTransformer]:
    """
    Makes a source whose conversion goes wrong.

    It changes the converted graph; keyword arguments replace what the source knows of itself.
    What the source's own library answers is left as it is.
    """
    source = SentenceTransformer.read(tiny_embedder)
    texts = Samples({"text": np.array(SENTENCES, np.object_)}, "sentences")
    samples = with_extremes(source, texts)
    converted = source.convert(tmp_path_factory.mktemp("converted"), samples)

    class Tampered(SentenceTransformer):
        change: Change

        def builtin_samples(self) -> Samples:
            return texts

        def convert(self, folder: Path, samples: Samples) -> Converted:
            model = onnx.load(converted.graph)
            self.change(model)
            onnx.save(model, folder / "model.onnx")
            return Converted(folder / "model.onnx", converted.reference)

    def make(change: Change = lambda model: None, **fields: Any) -> SentenceTransformer:
        kind = type("Tampered", (Tampered,), {"change": staticmethod(change)})
        made: SentenceTransformer = replace(kind.read(tiny_embedder), **fields)
        return made

    return make


def refused(source: Source | Path, repository: Path, finding: str, *shown: str) -> str:
    """What the refusal says; its table names the samples that agree least."""
    with pytest.raises(ExportError, match="fp32 does not answer as the source does") as caught:
        export_model(source, repository, name=NAME, force=True)
    message = str(caught.value)
    assert re.search(finding, message.splitlines()[0])
    assert "Nothing was written." in message
    header, _, *worst = message.splitlines()[-12:]
    assert [cell.strip() for cell in header.split("|")][1:3] == ["sample", "input"]
    assert len(worst) == 10
    scores = [float(row.split("|")[-3]) for row in worst]
    assert scores == sorted(scores)
    for words in shown:
        assert words in "\n".join(worst)
    return message


def tensor(model: Any, name: str) -> Any:
    return next(one for one in model.graph.initializer if one.name == name)


def squares(model: Any) -> list[Any]:
    """The weights of queries, keys, values and what follows them, of each layer."""
    return [one for one in model.graph.initializer if list(one.dims) == [32, 32]]


def swap(one: Any, other: Any) -> None:
    one.raw_data, other.raw_data = other.raw_data, one.raw_data


def test_an_unbroken_one_is_accepted(
    tampered: Callable[..., SentenceTransformer], tmp_path: Path
) -> None:
    """Else the refusals below would mean nothing."""
    assert export_model(tampered(), tmp_path / "repository", name=NAME).written


@pytest.mark.parametrize(("first", "second"), [(0, 1), (2, 3), (0, 4), (6, 7)])
def test_a_swapped_weight_is_refused(
    tampered: Callable[..., SentenceTransformer], standing: Path, first: int, second: int
) -> None:
    def change(model: Any) -> None:
        weights = squares(model)
        assert len(weights) == 8
        swap(weights[first], weights[second])

    refused(tampered(change), standing, r"mean cosine 0\.\d+, where 0\.9999 is due")


def test_a_wrong_pooling_is_refused(
    tampered: Callable[..., SentenceTransformer], standing: Path
) -> None:
    message = refused(tampered(pooling="cls"), standing, "mean cosine")
    assert any(text[:40] in message for text in SENTENCES)


def test_a_missing_normalisation_is_refused(
    tampered: Callable[..., SentenceTransformer], standing: Path
) -> None:
    """It changes no direction, and who takes the dot product gets other scores."""
    refused(tampered(normalize=False), standing, r"'embedding' differs by \d+")


def test_one_token_that_is_nan_is_refused(
    tampered: Callable[..., SentenceTransformer], standing: Path
) -> None:
    """Only the texts that hold it show it."""
    source = tampered()
    text = "The museum is closed on Mondays."
    assert text in SENTENCES
    samples = Samples({"text": np.array([text], np.object_)}, "")
    token = source.prepare(samples)["input_ids"][0, 2]

    def change(model: Any) -> None:
        (table,) = [one for one in model.graph.initializer if one.dims[0] > 30_000]
        rows = numpy_helper.to_array(table).copy()
        rows[token] = np.nan
        table.CopyFrom(numpy_helper.from_array(rows, table.name))

    message = refused(tampered(change), standing, "is NaN or infinite for 1 sample,")
    assert text in message.splitlines()[-10]


def graph_file(file: Path, nodes: list[Any], **constants: Any) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(np.asarray(a, np.float32), n) for n, a in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), file)
    return file


@pytest.mark.parametrize("share", [1.0, 0.1, 0.005])
def test_a_graph_that_takes_the_batch_mean_away_is_refused(
    standing: Path, tmp_path: Path, share: float
) -> None:
    """Also where little of it is taken away, so that answers look much the same."""
    file = graph_file(
        tmp_path / "batch_mean.onnx",
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
            helper.make_node("Mul", ["mean", "share"], ["part"]),
            helper.make_node("Sub", ["x", "part"], ["y"]),
        ],
        share=share,
    )
    refused(file, standing, "an answer depends on its batch")


def test_a_module_that_normalises_over_the_batch_is_refused(standing: Path) -> None:
    """What a batch normalisation does that was left in training mode."""
    import torch

    class Normalised(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.layer(x)
            spread = y.var(dim=0, keepdim=True, unbiased=False)
            return (y - y.mean(dim=0, keepdim=True)) / (spread + 1).sqrt()

    torch.manual_seed(0)
    source = TorchModule(Normalised(), {"x": torch.randn(8, 4)})
    refused(source, standing, "an answer depends on its batch")


def test_a_module_that_was_left_in_training_mode_is_exported_in_evaluation_mode(
    tmp_path: Path,
) -> None:
    import torch

    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3)).train()
    source = TorchModule(layers, {"x": torch.randn(8, 4)})
    (card,) = export_model(source, tmp_path / "repository", name=NAME).cards
    assert card.accuracy.batch.invariant
    assert layers.training
