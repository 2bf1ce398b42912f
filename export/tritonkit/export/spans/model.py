"""A model of Triton's Python backend: token classes in, spans of the text out, as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from .aggregate import find_spans


class TritonPythonModel:
    """Finds the spans of each text; nothing is shared between requests."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the names of the classes."""
        parameters = json.loads(args["model_config"])["parameters"]
        self._labels = json.loads(parameters["labels"]["string_value"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request; one whose text is not UTF-8 fails alone."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        texts, offsets, probabilities = (
            pb_utils.get_input_tensor_by_name(request, name).as_numpy()
            for name in ("text", "offsets", "probabilities")
        )
        try:
            decoded = [text.decode("utf-8") for text in texts.reshape(-1)]
        except UnicodeDecodeError as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error)))
        rows = [
            json.dumps(find_spans(*row, self._labels), ensure_ascii=False).encode()
            for row in zip(decoded, offsets, probabilities, strict=True)
        ]
        spans = np.array(rows, dtype=np.object_).reshape(-1, 1)
        return pb_utils.InferenceResponse([pb_utils.Tensor("spans", spans)])
