"""A model of Triton's Python backend: image files in, pixels out."""

from __future__ import annotations

import json
from typing import Any

import triton_python_backend_utils as pb_utils

from .preprocess import ImagePreprocessor


class TritonPythonModel:
    """Decodes the images of all requests that the dynamic batcher hands over in one go."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the model's parameters."""
        parameters = json.loads(args["model_config"])["parameters"]
        self._preprocessor = ImagePreprocessor.from_parameters(
            {name: value["string_value"] for name, value in parameters.items()}
        )

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request; one with a broken image fails alone."""
        responses: list[Any] = []
        images: list[Any] = []
        rows: list[slice] = []
        for request in requests:
            start = len(images)
            array = pb_utils.get_input_tensor_by_name(request, "image").as_numpy()
            try:
                read = [self._read(*item) for item in enumerate(array.reshape(-1))]
                images += read
                responses.append(None)
            except ValueError as error:
                responses.append(pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error))))
            rows.append(slice(start, len(images)))
        pixels = self._preprocessor.normalise(images)
        for position, part in enumerate(rows):
            if responses[position] is None:
                responses[position] = pb_utils.InferenceResponse(
                    [pb_utils.Tensor("pixel_values", pixels[part])]
                )
        return responses

    def _read(self, position: int, content: bytes) -> Any:
        try:
            return self._preprocessor.read(content)
        except ValueError as error:
            raise ValueError(f"image {position}: {error}") from error
