"""Inputs for a model that nobody described: from its metadata and configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.texts import SENTENCES
from tritonkit.client.types import Tensors
from tritonkit.client.wire.datatypes import DATATYPES, to_bfloat16
from tritonkit.errors import ConfigError

__all__ = ["DYNAMIC_SIZE", "InputSpec", "ModelSpec", "RequestInputs", "tensors_bytes"]

DYNAMIC_SIZE = 16
"""What a dynamic dimension of a numeric input becomes: a short sentence in tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """
    One input of a model.

    Args:
        name: Name of the tensor.
        datatype: Triton's name, such as "FP32" or "BYTES".
        shape: Without the batch dimension; -1 is dynamic.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    def dims(self, given: Sequence[int] | None = None) -> tuple[int, ...]:
        """
        A shape without dynamic dimensions.

        Args:
            given: The shape that the user asks for. Without one, a dynamic
                dimension becomes DYNAMIC_SIZE, or 1 where the values are texts.

        Raises:
            ConfigError: If *given* is not a case of the model's shape.
        """
        if given is None:
            size = 1 if self.datatype == "BYTES" else DYNAMIC_SIZE
            return tuple(size if dim < 0 else dim for dim in self.shape)
        fits = len(given) == len(self.shape) and all(
            dim in (-1, wanted) for dim, wanted in zip(self.shape, given, strict=True)
        )
        if not fits or any(dim < 0 for dim in given):
            raise ConfigError(
                f"shape of input {self.name!r} must fit {list(self.shape)} "
                f"(without the batch dimension), but got {list(given)}."
            )
        return tuple(given)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """
    What a model takes.

    Args:
        name: Name of the model.
        max_batch_size: Rows of a request at most; 0 for a model that does not batch.
        inputs: Those that a request must have, and the optional ones.
        optional: Names of the inputs that a request may leave out.
    """

    name: str
    max_batch_size: int
    inputs: tuple[InputSpec, ...]
    optional: frozenset[str] = frozenset()

    @classmethod
    def read(cls, metadata: Mapping[str, Any], config: Mapping[str, Any]) -> ModelSpec:
        """
        Read a model's metadata (KServe v2) and configuration (Triton) as the server gives them.

        Raises:
            ConfigError: If the model has no input.
        """
        max_batch_size = int(config.get("max_batch_size", 0))
        batched = 1 if max_batch_size > 0 else 0
        inputs = tuple(
            InputSpec(
                name=tensor["name"],
                datatype=tensor["datatype"],
                shape=tuple(int(dim) for dim in tensor["shape"])[batched:],
            )
            for tensor in metadata.get("inputs", ())
        )
        if not inputs:
            raise ConfigError(f"model {metadata.get('name', '')!r} has no inputs to generate.")
        return cls(
            name=metadata["name"],
            max_batch_size=max_batch_size,
            inputs=inputs,
            optional=frozenset(
                tensor["name"] for tensor in config.get("input", ()) if tensor.get("optional")
            ),
        )

    def check_batch_size(self, batch_size: int) -> None:
        """
        Refuse a batch that the server would refuse.

        Raises:
            ConfigError: If *batch_size* is not 1 to `max_batch_size`.
        """
        if not 1 <= batch_size <= max(1, self.max_batch_size):
            raise ConfigError(
                f"batch size must be 1 to {max(1, self.max_batch_size)} for model {self.name!r} "
                f"(max_batch_size: {self.max_batch_size}), but got {batch_size}."
            )


class RequestInputs:
    """
    Inputs of distinct requests, the same for the same seed.

    Floats are uniform in [0, 1). Integers are 0 or 1: valid as token ids, as
    segment ids and as a mask alike. Texts are sentences in shuffled order.

    Args:
        spec: The model.
        seed: Of everything random.
        shapes: Shapes without the batch dimension, by input name.
        values: Arrays to take instead of random ones, by input name; for a model
            that batches, rows on the first axis, which requests take in turn.
        texts: What BYTES inputs are made of.

    Raises:
        ConfigError: If a name is unknown, or a shape or an array does not fit.
    """

    def __init__(
        self,
        spec: ModelSpec,
        *,
        seed: int = 0,
        shapes: Mapping[str, Sequence[int]] | None = None,
        values: Mapping[str, NDArray[Any]] | None = None,
        texts: Sequence[str] = SENTENCES,
    ) -> None:
        self._spec = spec
        self._seed = seed
        values = dict(values or {})
        self._texts = list(texts)
        shapes = dict(shapes or {})
        named = {*shapes, *values}
        known = {tensor.name: tensor for tensor in spec.inputs}
        if unknown := sorted(named - set(known)):
            raise ConfigError(
                f"model {spec.name!r} has no input {unknown[0]!r}; it takes {', '.join(known)}."
            )
        if not self._texts:
            raise ConfigError("there are no texts to send.")
        self._dims = {
            name: tensor.dims(shapes.get(name))
            for name, tensor in known.items()
            if name not in spec.optional or name in named
        }
        self._values = {name: self._check(known[name], array) for name, array in values.items()}

    def describe(self) -> dict[str, str]:
        """Where each input's values come from, by name, with its datatype and shape."""
        return {
            tensor.name: f"{tensor.datatype} {self._shape_text(tensor)}, {self._source(tensor)}"
            for tensor in self._sent()
        }

    def generate(self, count: int, batch_size: int = 1) -> Iterator[dict[str, NDArray[Any]]]:
        """
        Inputs of *count* requests of *batch_size* rows.

        Raises:
            ConfigError: If the model does not take such a batch.
        """
        self._spec.check_batch_size(batch_size)
        rng = np.random.default_rng(self._seed)
        leading = (batch_size,) if self._spec.max_batch_size > 0 else ()
        texts = _shuffled_forever(self._texts, rng)
        for index in range(count):
            yield {
                tensor.name: (
                    self._given(tensor, index, batch_size)
                    if tensor.name in self._values
                    else _random(tensor.datatype, leading + self._dims[tensor.name], rng, texts)
                )
                for tensor in self._sent()
            }

    def _sent(self) -> list[InputSpec]:
        return [tensor for tensor in self._spec.inputs if tensor.name in self._dims]

    def _given(self, tensor: InputSpec, index: int, batch_size: int) -> NDArray[Any]:
        array = self._values[tensor.name]
        if self._spec.max_batch_size > 0:
            rows = np.arange(index * batch_size, (index + 1) * batch_size) % len(array)
            return array[rows]
        return array

    def _check(self, tensor: InputSpec, array: NDArray[Any]) -> NDArray[Any]:
        batched = self._spec.max_batch_size > 0
        shape = array.shape[1:] if batched else array.shape
        if batched and (not array.ndim or not len(array)):
            raise ConfigError(f"values of input {tensor.name!r} need rows on the first axis.")
        tensor.dims(shape)
        try:
            return _typed(array, tensor.datatype)
        except ValueError as error:
            raise ConfigError(
                f"values of input {tensor.name!r} must be {tensor.datatype}, but {error}."
            ) from error

    def _shape_text(self, tensor: InputSpec) -> str:
        if tensor.name in self._values:
            return str(list(self._values[tensor.name].shape))
        batch = ["batch"] if self._spec.max_batch_size > 0 else []
        return f"[{', '.join(str(dim) for dim in (*batch, *self._dims[tensor.name]))}]"

    def _source(self, tensor: InputSpec) -> str:
        if tensor.name in self._values:
            return "given"
        if tensor.datatype == "BYTES":
            return f"{len(self._texts)} texts in shuffled order"
        source = "uniform in [0, 1)" if _is_float(tensor.datatype) else "0 or 1"
        chosen = sum(dim < 0 for dim in tensor.shape)
        return f"random, {source}" + (", dynamic dimensions set" if chosen else "")


def tensors_bytes(inputs: Tensors) -> int:
    """About as many bytes as the arrays take on the wire."""
    return sum(
        sum(len(text) for text in array.flat) if array.dtype == object else array.nbytes
        for array in inputs.values()
    )


def _is_float(datatype: str) -> bool:
    return datatype in ("FP16", "FP32", "FP64", "BF16")


def _random(
    datatype: str, shape: tuple[int, ...], rng: np.random.Generator, texts: Iterator[str]
) -> NDArray[Any]:
    if datatype == "BYTES":
        array = np.empty(shape, dtype=object)
        for index in np.ndindex(shape):
            array[index] = next(texts)
        return array
    if datatype not in DATATYPES:
        raise ConfigError(f"cannot make values of datatype {datatype!r}.")
    if not _is_float(datatype):
        return rng.integers(0, 2, size=shape).astype(DATATYPES[datatype])
    return _typed(rng.random(shape, dtype=np.float32), datatype)


def _typed(array: NDArray[Any], datatype: str) -> NDArray[Any]:
    """
    The same values as *datatype*.

    Raises:
        ValueError: If a value is of another kind or out of range.
    """
    if datatype == "BYTES":
        if not all(isinstance(text, str | bytes) for text in array.flat):
            raise ValueError("an element is neither text nor bytes")
        return array.astype(object)
    dtype = DATATYPES[datatype]
    if array.dtype.kind not in ("biuf" if _is_float(datatype) else "biu"):
        raise ValueError(f"elements are {array.dtype}")
    if not _is_float(datatype) and array.size:
        low, high = (0, 1) if datatype == "BOOL" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if array.min() < low or array.max() > high:
            raise ValueError(f"an element is not {low} to {high}")
    return to_bfloat16(array.astype(np.float32)) if datatype == "BF16" else array.astype(dtype)


def _shuffled_forever(texts: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    while True:
        for index in rng.permutation(len(texts)):
            yield texts[index]
