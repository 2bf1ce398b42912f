"""A plain transformers encoder: text to the embedding of each token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.graphs.head import append_head
from tritonkit.export.sources.source import Answers, Feeds
from tritonkit.export.sources.texts.encoder import encode_with_torch
from tritonkit.export.sources.texts.text import TextSource, unpadded
from tritonkit.extras import require

__all__ = ["FeatureExtractor"]

_FEATURES = "last_hidden_state"


@dataclass(frozen=True, kw_only=True)
class FeatureExtractor(TextSource):
    """
    Text to `last_hidden_state`, FP32 (tokens, size), and `attention_mask`, INT64 (tokens,).

    The mask is 1 for a token of the text and 0 for padding.

    Args:
        size: Of a token's embedding.
    """

    size: int

    kind = "transformers feature-extraction"
    comparison = "values"
    judged = _FEATURES
    task = "feature-extraction"

    def answer_with_torch(self, texts: Sequence[str]) -> Answers:
        """The last hidden state of each text, without padding."""
        features: list[NDArray[np.float32]] = []
        for outputs, inputs in encode_with_torch(self, "AutoModel", texts):
            features += unpadded(
                outputs.last_hidden_state.numpy(), inputs["attention_mask"].numpy()
            )
        return {_FEATURES: features}

    def finish(self, model: Any) -> Any:
        """Give the token embeddings in single precision, of a known size."""
        onnx = require("onnx", extra="export")
        helper, kind = onnx.helper, onnx.TensorProto
        found = model.graph.output[0].name
        renamed = "features/tokens"
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = [renamed if name == found else name for name in names]
        cast = helper.make_node("Cast", [renamed], [_FEATURES], to=kind.FLOAT)
        shape = ["batch_size", "sequence_length", self.size]
        output = helper.make_tensor_value_info(_FEATURES, kind.FLOAT, shape)
        return append_head(model, [cast], [], [output])

    @property
    def passed_on(self) -> tuple[str, ...]:
        """The mask, by which a client knows padding."""
        return ("attention_mask",)

    def rows(self, feeds: Feeds, outputs: Mapping[str, NDArray[Any]]) -> Answers:
        """Each text's own tokens."""
        mask = feeds["attention_mask"]
        return {name: unpadded(output, mask) for name, output in outputs.items()}
