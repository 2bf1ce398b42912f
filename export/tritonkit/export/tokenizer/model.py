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
        values = {name: value["string_value"] for name, value in parameters.items()}
        self._tokenizer = BatchTokenizer(
            str(Path(__file__).with_name("tokenizer.json")),
            max_length=int(values["max_length"]),
            pad_id=int(values["pad_id"]),
            pad_to_multiple_of=int(values["pad_to_multiple_of"]),
            lower_case=values["lower_case"] == "true",
        )

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request; one whose text is not UTF-8 fails alone."""
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
                responses.append(pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error))))
            rows.append(slice(start, len(texts)))
        ids, mask = self._tokenizer(texts)
        for position, part in enumerate(rows):
            if responses[position] is None:
                responses[position] = pb_utils.InferenceResponse(
                    [
                        pb_utils.Tensor("input_ids", ids[part]),
                        pb_utils.Tensor("attention_mask", mask[part]),
                    ]
                )
        return responses
