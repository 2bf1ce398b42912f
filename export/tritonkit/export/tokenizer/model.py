"""A model of Triton's Python backend: strings in, token ids out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from .batch import BatchTokenizer, read_texts


class TritonPythonModel:
    """Tokenises all requests that the dynamic batcher hands over in one go."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the tokenizer beside this file and the model's parameters."""
        parameters = json.loads(args["model_config"])["parameters"]
        self._tokenizer = BatchTokenizer.from_parameters(
            str(Path(__file__).with_name("tokenizer.json")),
            {name: value["string_value"] for name, value in parameters.items()},
        )

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request; one whose text cannot be taken fails alone."""
        responses: list[Any] = []
        texts: list[str] = []
        rows: list[slice] = []
        for request in requests:
            start = len(texts)
            try:
                array = pb_utils.get_input_tensor_by_name(request, "text").as_numpy()
                texts += read_texts(array)
                responses.append(None)
            except ValueError as error:
                responses.append(_refused(str(error)))
            rows.append(slice(start, len(texts)))
        encodings = self._tokenizer.encode(texts)
        kept: list[Any] = []
        for position, part in enumerate(rows):
            refusals = list(map(self._tokenizer.refusal, encodings[part]))
            wrong = next((n for n, refusal in enumerate(refusals) if refusal), None)
            if wrong is not None:
                responses[position] = _refused(f"text {wrong}: {refusals[wrong]}")
            elif responses[position] is None:
                rows[position] = slice(len(kept), len(kept) + len(refusals))
                kept += encodings[part]
        tensors = self._tokenizer.rows(kept)
        for position, part in enumerate(rows):
            if responses[position] is None:
                responses[position] = pb_utils.InferenceResponse(
                    [pb_utils.Tensor(name, array[part]) for name, array in tensors.items()]
                )
        return responses


def _refused(reason: str) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(reason))
