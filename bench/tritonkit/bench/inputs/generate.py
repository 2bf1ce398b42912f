"""Inputs for a model that nobody described: from its metadata and configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.inputs.texts import SENTENCES
from tritonkit.client import Signature, Tensors, TensorSpec
from tritonkit.client.conversion import to_array
from tritonkit.client.wire.datatypes import DATATYPES, to_bfloat16
from tritonkit.errors import ConfigError, InvalidInput

__all__ = ["DYNAMIC_SIZE", "RequestInputs", "tensors_bytes"]

DYNAMIC_SIZE = 16
"""What a dynamic dimension of a numeric input becomes: a short sentence in tokens."""


class RequestInputs:
    """
    Inputs of distinct requests, the same for the same seed.

    Floats are uniform in [0, 1). Integers are 0 or 1: valid as token ids, as
    segment ids and as a mask alike. Texts are sentences in shuffled order.

    Args:
        signature: The model's.
        seed: Of everything random.
        shapes: Shapes without the batch dimension, by input name.
        values: What to send instead of random values, by input name, in the forms
            that `Client.infer` takes; for a model that batches, any number of rows,
            which requests take in turn.
        texts: What BYTES inputs are made of.

    Raises:
        ConfigError: If a name is unknown, a shape or a value does not fit, or the
            model has no inputs.
    """

    def __init__(
        self,
        signature: Signature,
        *,
        seed: int = 0,
        shapes: Mapping[str, Sequence[int]] | None = None,
        values: Mapping[str, Any] | None = None,
        texts: Sequence[str] = SENTENCES,
    ) -> None:
        values, shapes = values or {}, shapes or {}
        known = signature.inputs
        if not known:
            raise ConfigError(f"model {signature.model!r} has no inputs to generate.")
        named = {*shapes, *values}
        if unknown := sorted(named - set(known)):
            raise ConfigError(
                f"model {signature.model!r} has no input {unknown[0]!r}; "
                f"it takes {', '.join(known)}."
            )
        if not texts:
            raise ConfigError("there are no texts to send.")
        self._signature = signature
        self._seed = seed
        self._texts = texts
        self._sent = [t for t in known.values() if not t.optional or t.name in named]
        self._dims = {t.name: _fixed(t, shapes.get(t.name)) for t in self._sent}
        self._values = {name: _given_array(known[name], value) for name, value in values.items()}

    def describe(self) -> dict[str, str]:
        """Where each input's values come from, by name, with its datatype and shape."""
        return {
            tensor.name: f"{tensor.datatype} {self._shape_text(tensor)}, {self._source(tensor)}"
            for tensor in self._sent
        }

    def generate(self, count: int, batch_size: int = 1) -> Iterator[dict[str, NDArray[Any]]]:
        """
        Inputs of *count* requests of *batch_size* rows.

        Raises:
            ConfigError: If the model does not take such a batch.
        """
        self._check_batch_size(batch_size)
        rng = np.random.default_rng(self._seed)
        texts = _shuffled_forever(self._texts, rng)
        for index in range(count):
            yield {
                tensor.name: (
                    self._given(tensor, index, batch_size)
                    if tensor.name in self._values
                    else _random(tensor.datatype, self._shape(tensor, batch_size), rng, texts)
                )
                for tensor in self._sent
            }

    def _check_batch_size(self, batch_size: int) -> None:
        """A batch that the server would refuse is refused before anything is sent."""
        max_batch_size = self._signature.max_batch_size
        if not 1 <= batch_size <= max(1, max_batch_size):
            raise ConfigError(
                f"batch size must be 1 to {max(1, max_batch_size)} for model "
                f"{self._signature.model!r} (max_batch_size: {max_batch_size}), "
                f"but got {batch_size}."
            )

    def _shape(self, tensor: TensorSpec, batch_size: int) -> tuple[int, ...]:
        leading = (batch_size,) if tensor.batched else ()
        return leading + self._dims[tensor.name]

    def _given(self, tensor: TensorSpec, index: int, batch_size: int) -> NDArray[Any]:
        array = self._values[tensor.name]
        if tensor.batched:
            rows = np.arange(index * batch_size, (index + 1) * batch_size) % len(array)
            return array[rows]
        return array

    def _shape_text(self, tensor: TensorSpec) -> str:
        if tensor.name in self._values:
            return str(list(self._values[tensor.name].shape))
        batch = ["batch"] if tensor.batched else []
        return f"[{', '.join(map(str, (*batch, *self._dims[tensor.name])))}]"

    def _source(self, tensor: TensorSpec) -> str:
        if tensor.name in self._values:
            return "given"
        if tensor.datatype == "BYTES":
            return f"{len(self._texts)} texts in shuffled order"
        source = "uniform in [0, 1)" if _is_float(tensor.datatype) else "0 or 1"
        chosen = any(dim < 0 for dim in _dims(tensor))
        return f"random, {source}" + (", dynamic dimensions set" if chosen else "")


def tensors_bytes(inputs: Tensors) -> int:
    """About as many bytes as the arrays take on the wire."""
    return sum(
        sum(len(text) for text in array.flat) if array.dtype == object else array.nbytes
        for array in inputs.values()
    )


def _is_float(datatype: str) -> bool:
    return DATATYPES[datatype].kind == "f"


def _random(
    datatype: str, shape: tuple[int, ...], rng: np.random.Generator, texts: Iterator[str]
) -> NDArray[Any]:
    if datatype == "BYTES":
        array = np.empty(shape, dtype=object)
        for index in np.ndindex(shape):
            array[index] = next(texts)
        return array
    if datatype == "BF16":
        return to_bfloat16(rng.random(shape, dtype=np.float32))
    if _is_float(datatype):
        return rng.random(shape, dtype=np.float32).astype(DATATYPES[datatype])
    return rng.integers(0, 2, size=shape).astype(DATATYPES[datatype])


def _dims(tensor: TensorSpec) -> tuple[int, ...]:
    """The model's shape without the batch dimension; -1 is dynamic."""
    return tensor.shape[1:] if tensor.batched else tensor.shape


def _fixed(tensor: TensorSpec, given: Sequence[int] | None) -> tuple[int, ...]:
    """
    A shape without the batch dimension and without dynamic ones.

    Raises:
        ConfigError: If *given* is not a case of the model's shape.
    """
    dims = _dims(tensor)
    if given is None:
        size = 1 if tensor.datatype == "BYTES" else DYNAMIC_SIZE
        return tuple(size if dim < 0 else dim for dim in dims)
    fits = len(given) == len(dims) and all(
        dim in (-1, wanted) for dim, wanted in zip(dims, given, strict=True)
    )
    if not fits or any(dim < 0 for dim in given):
        raise ConfigError(
            f"shape of input {tensor.name!r} must fit {list(dims)} "
            f"(without the batch dimension), but got {list(given)}."
        )
    return tuple(given)


def _given_array(tensor: TensorSpec, value: Any) -> NDArray[Any]:
    try:
        array = to_array(value, tensor.datatype, tensor.shape, batched=tensor.batched)
    except InvalidInput as error:
        raise ConfigError(f"the value of input {tensor.name!r} {error}.") from error
    if tensor.batched and not len(array):
        raise ConfigError(f"the value of input {tensor.name!r} has no rows to send.")
    return array


def _shuffled_forever(texts: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    while True:
        for index in rng.permutation(len(texts)):
            yield texts[index]
