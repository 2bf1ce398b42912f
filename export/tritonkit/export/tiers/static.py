"""The static tier: a vector for each token, looked up and averaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from tritonkit.export.graphs.pooling import append_pooling
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.sources.texts.text import TEXT
from tritonkit.export.sources.texts.tokenizer_files import read_tokenizer
from tritonkit.export.stages.embedding import quantise_embeddings
from tritonkit.export.tiers.examples import Examples
from tritonkit.export.tiers.table import Table, fit, tune
from tritonkit.extras import require

__all__ = ["Static", "make_static"]

_OPSET = 17
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Static:
    """
    What came of the training.

    Args:
        tokens: How many have a vector; those of the texts have one in any case.
        of: How many tokens there are.
        epochs: How often the texts were seen.
    """

    tokens: int
    of: int
    epochs: int


def make_static(
    source: SentenceTransformer,
    graph: Path,
    train: Examples,
    held_out: Examples,
    target: Path,
    *,
    threads: int,
    until: float,
    progress: Callable[[str], None],
) -> Static:
    """
    Fit and tune a table to the teacher's embeddings, and write it as a graph in int8.

    Args:
        source: The teacher.
        graph: Its finished graph.
        train: Texts to learn from.
        held_out: Texts that tell when to stop.
        target: ONNX file to write, finished.
        threads: Threads of the teacher; 0 for every core.
        until: Time of `monotonic` to stop at, nearly.
        progress: Told how far it is.
    """
    now = monotonic()
    tokens, embedded, of = _embed_tokens(
        source, graph, train, threads=threads, until=(now + until) / 2, progress=progress
    )
    table, epochs = tune(
        fit(tokens, train),
        train,
        held_out,
        normalize=source.normalize,
        until=until,
        progress=progress,
    )
    onnx = require("onnx", extra="export")
    model = quantise_embeddings(_lookup(table))
    onnx.save(
        append_pooling(model, "mean", normalize=source.normalize, dimension=source.dimension),
        str(target),
    )
    return Static(embedded, of, epochs)


def _embed_tokens(
    source: SentenceTransformer,
    graph: Path,
    train: Examples,
    *,
    threads: int,
    until: float,
    progress: Callable[[str], None],
) -> tuple[Table, int, int]:
    """
    The teacher's embedding of each token, between the special tokens of a text.

    The most frequent come first. Those of the texts are embedded in any case; the others that
    time does not suffice for are zeros.

    Returns:
        The embeddings, how many they are, and how many tokens there are.
    """
    vocabulary = read_tokenizer(source.tokenizer.parent).get_vocab(with_added_tokens=True)
    size = max(*vocabulary.values(), source.pad_id, int(train.ids.max())) + 1
    counts = np.bincount(train.ids, minlength=size)
    tokens = np.array(sorted(set(vocabulary.values())), np.int64)
    tokens = tokens[np.argsort(-counts[tokens], kind="stable")]
    empty = source.prepare(Samples({TEXT.name: np.array([""], object)}, "an empty text"))
    special = empty["input_ids"][empty["attention_mask"] > 0]
    network = Network(source, graph, threads=threads)
    table = np.zeros((size, source.dimension), np.float32)
    embedded = 0
    for start in range(0, len(tokens), _BATCH):
        if not counts[tokens[start]] and monotonic() > until:
            break
        batch = tokens[start : start + _BATCH]
        ids = np.insert(np.tile(special, (len(batch), 1)), len(special) // 2, batch, axis=1)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        table[batch] = network.run(feeds)[source.judged]
        embedded += len(batch)
        if start % (16 * _BATCH) == 0:
            progress(f"{start + len(batch)} of {len(tokens)} tokens embedded")
    return table, embedded, len(tokens)


def _lookup(table: Table) -> Any:
    """An encoder of one layer: input_ids to the rows of *table*."""
    onnx = require("onnx", extra="export")
    helper, types = onnx.helper, onnx.TensorProto
    ids, mask = (
        helper.make_tensor_value_info(name, types.INT64, ["batch_size", "sequence_length"])
        for name in ("input_ids", "attention_mask")
    )
    output = helper.make_tensor_value_info(
        "tokens", types.FLOAT, ["batch_size", "sequence_length", table.shape[1]]
    )
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Gather", ["table", "input_ids"], ["tokens"], name="lookup")],
            "static",
            [ids, mask],
            [output],
            [onnx.numpy_helper.from_array(table, "table")],
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        producer_name="tritonkit",
    )
    # What opset 17 came with; a later one is refused by onnxruntimes that could run the graph.
    model.ir_version = 8
    return model
