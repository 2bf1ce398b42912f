"""
The limit to measure a served text model against: onnxruntime and tokenizers in one process.

Runs in the Python of the embedded server, hence with its onnxruntime. Reads one JSON
object a line, measures, answers with one, and sleeps until the next: it takes no
core while the server is measured.

    {"models": [PATH, ...], "tokenizer": PATH, "texts": [...], "threads": 2}
    {"model": PATH, "spinning": true, "batch_size": 32, "seconds": 2.0, "warmup": 0.3}

The first line is answered by versions, every other by texts a second.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime
import tokenizers
from tokenizers import Tokenizer


class Embedder:
    """
    Text in, embeddings out; pads to the longest text of a batch.

    Threads that spin between operators, which is onnxruntime's default, are quicker on a machine
    of their own and slower on one that is shared.
    """

    def __init__(self, model: str, tokenizer: str, threads: int, spinning: bool) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_padding()
        self._tokenizer.enable_truncation(256)

    def __call__(self, texts: list[str]) -> Any:
        encodings = self._tokenizer.encode_batch_fast(texts)
        inputs = {
            "input_ids": np.array([e.ids for e in encodings], np.int64),
            "attention_mask": np.array([e.attention_mask for e in encodings], np.int64),
        }
        return self._session.run(None, inputs)[0]


def texts_per_second(
    embed: Embedder, texts: list[str], batch_size: int, seconds: float, warmup: float
) -> float:
    """Whole passes over the texts are not needed: batches follow each other in a ring."""
    position = 0

    def batch() -> list[str]:
        nonlocal position
        start, position = position, (position + batch_size) % len(texts)
        return [texts[i % len(texts)] for i in range(start, start + batch_size)]

    end = perf_counter() + warmup
    while perf_counter() < end:
        embed(batch())
    count, started = 0, perf_counter()
    while (elapsed := perf_counter() - started) < seconds:
        embed(batch())
        count += batch_size
    return count / elapsed


def main() -> None:
    setup = json.loads(sys.stdin.readline())
    embedders = {
        (model, spinning): Embedder(model, setup["tokenizer"], setup["threads"], spinning)
        for model in setup["models"]
        for spinning in (True, False)
    }
    versions = {
        "onnxruntime": onnxruntime.__version__,
        "tokenizers": tokenizers.__version__,
        "numpy": np.__version__,
    }
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        rate = texts_per_second(
            embedders[task["model"], task["spinning"]],
            setup["texts"],
            task["batch_size"],
            task["seconds"],
            task["warmup"],
        )
        print(json.dumps({"texts_per_second": rate}), flush=True)


if __name__ == "__main__":
    main()
