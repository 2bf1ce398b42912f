"""A text embedding model in this process: the tokenizer and the graph that Triton will run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.pooling import OUTPUT
from tritonkit.export.source import SentenceTransformer
from tritonkit.extras import require

__all__ = ["Embedder"]


class Embedder:
    """
    Tokenises with the code that the tokenizer model runs, and embeds with onnxruntime.

    Args:
        source: Where the tokenizer and its settings come from.
        graph: ONNX file with pooling.
        threads: Threads of one run; 0 for every core.
    """

    def __init__(self, source: SentenceTransformer, graph: Path, *, threads: int = 0) -> None:
        onnxruntime = require("onnxruntime", extra="export")
        require("tokenizers", extra="export")
        from tritonkit.export.tokenizer.batch import BatchTokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Another embedder is measured in turn: its idle threads must not take the cores.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._tokenizer = BatchTokenizer(
            str(source.tokenizer),
            max_length=source.max_length,
            pad_id=source.pad_id,
            lower_case=source.lower_case,
        )
        self._session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """
        Embed *texts* as one batch.

        Returns:
            Embeddings, FP32 (texts, dimension).
        """
        ids, mask = self._tokenizer(list(texts))
        (embeddings,) = self._session.run([OUTPUT], {"input_ids": ids, "attention_mask": mask})
        result: NDArray[np.float32] = embeddings
        return result
