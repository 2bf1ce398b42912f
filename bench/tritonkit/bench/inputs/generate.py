"""Inputs for a model that nobody described: from its metadata and configuration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.inputs.budget import MAX_REQUEST
from tritonkit.bench.inputs.dims import Dim, chosen_dims, draw_sizes, model_dims, of_tokens
from tritonkit.bench.inputs.texts import SENTENCES
from tritonkit.client import Signature, TensorSpec
from tritonkit.client.conversion import to_array
from tritonkit.client.wire.datatypes import DATATYPES, to_bfloat16
from tritonkit.errors import ConfigError, InvalidInput
from tritonkit.units import format_size

__all__ = ["RequestInputs"]

_SIZES = 2
"""Sets the draws of sizes apart from those of the values, which do not depend on them."""


class RequestInputs:
    """
    Inputs of distinct requests, the same for the same seed.

    Floats are uniform in [0, 1). Integers are 0 or 1: valid as token ids, as
    segment ids and as a mask alike. Texts are sentences in shuffled order; the
    built-in ones get a number once all of them have been taken, so that no row of
    text comes twice.

    Args:
        signature: The model's.
        seed: Of everything random.
        shapes: Shapes without the batch dimension, by input name; a spread is drawn
            anew for each request.
        values: What to send instead of random values, by input name, in the forms
            that `Client.infer` takes; for a model that batches, any number of rows,
            which requests take in turn.
        texts: What BYTES inputs are made of.
        zero: Whether numbers are 0 instead of random.
        integers: The range of random integers by input name, without its end.
        without: Inputs that come from elsewhere.

    Raises:
        ConfigError: If a name is unknown, a shape or a value does not fit, or the
            model has no inputs.
    """

    def __init__(
        self,
        signature: Signature,
        *,
        seed: int = 0,
        shapes: Mapping[str, Sequence[Dim]] | None = None,
        values: Mapping[str, Any] | None = None,
        texts: Sequence[str] = SENTENCES,
        zero: bool = False,
        integers: Mapping[str, tuple[int, int]] | None = None,
        without: Collection[str] = (),
    ) -> None:
        values, shapes, integers = values or {}, shapes or {}, integers or {}
        known = signature.inputs
        if not known:
            raise ConfigError(f"model {signature.model!r} has no inputs to generate.")
        named = {*shapes, *values, *integers}
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
        for name, limits in integers.items():
            _check_range(known[name], limits)
            if zero or name in values:
                raise ConfigError(
                    f"integers of input {name!r} are given by a range, and as "
                    f"{'zeros' if zero else 'values'} as well: leave one out."
                )
        self._zero = zero
        self._integers = integers
        # A server takes no request without any input.
        all_optional = not named and not without and all(t.optional for t in known.values())
        self._sent = [
            t
            for t in known.values()
            if t.name not in without and (not t.optional or t.name in named or all_optional)
        ]
        self._values = {name: _given_array(known[name], value) for name, value in values.items()}
        of_values = {n: a.shape[known[n].batched :] for n, a in self._values.items()}
        self._dims = chosen_dims(self._sent, {**of_values, **shapes})
        self._shaped = frozenset(shapes)
        self._beside_tokens = any(
            of_tokens(tensor) for name, tensor in known.items() if name in without
        )

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
        make = self.stream(batch_size)
        for _ in range(count):
            yield make(None)

    def stream(self, batch_size: int) -> Callable[[int | None], dict[str, NDArray[Any]]]:
        """
        A function that makes the inputs of one request after the other.

        It takes how many tokens the request has by what comes from elsewhere, or None;
        integer inputs of one dynamic dimension have as many, unless their shape is given.

        Raises:
            ConfigError: If the model does not take such a batch.
        """
        self._check_batch_size(batch_size)
        rng = np.random.default_rng(self._seed)
        sizes = np.random.default_rng((self._seed, _SIZES))
        texts = _shuffled_forever(self._texts, rng)
        indices = itertools.count()

        def make(tokens: int | None) -> dict[str, NDArray[Any]]:
            index = next(indices)
            shapes = draw_sizes(self._dims, sizes)
            made = {}
            for tensor in self._sent:
                name = tensor.name
                if name in self._values:
                    made[name] = self._given(tensor, index, batch_size)
                    continue
                dims = shapes[name]
                if tokens is not None and self._follows(tensor):
                    dims = (tokens,)
                shape = (batch_size,) * tensor.batched + dims
                _check_size(tensor, shape)
                made[name] = (
                    _zeros(tensor.datatype, shape)
                    if self._zero and tensor.datatype != "BYTES"
                    else _random(tensor.datatype, shape, rng, texts, self._integers.get(name))
                )
            return made

        return make

    def _check_batch_size(self, batch_size: int) -> None:
        """A batch that the server would refuse is refused before anything is sent."""
        max_batch_size = self._signature.max_batch_size
        if not 1 <= batch_size <= max(1, max_batch_size):
            raise ConfigError(
                f"batch size must be 1 to {max(1, max_batch_size)} for model "
                f"{self._signature.model!r} (max_batch_size: {max_batch_size}), "
                f"but got {batch_size}."
            )

    def _given(self, tensor: TensorSpec, index: int, batch_size: int) -> NDArray[Any]:
        array = self._values[tensor.name]
        if tensor.batched:
            rows = np.arange(index * batch_size, (index + 1) * batch_size) % len(array)
            return array[rows]
        return array

    def _follows(self, tensor: TensorSpec) -> bool:
        """Whether its length is that of tokens that come from elsewhere."""
        return self._beside_tokens and of_tokens(tensor) and tensor.name not in self._shaped

    def _shape_text(self, tensor: TensorSpec) -> str:
        if tensor.name in self._values:
            return str(list(self._values[tensor.name].shape))
        batch = ["batch"] if tensor.batched else []
        if self._follows(tensor):
            return f"[{', '.join([*batch, 'tokens'])}]"
        return f"[{', '.join(map(str, (*batch, *self._dims[tensor.name])))}]"

    def _source(self, tensor: TensorSpec) -> str:
        if tensor.name in self._values:
            return "given"
        if tensor.datatype == "BYTES":
            return f"{len(self._texts)} texts in shuffled order"
        chosen = ", dynamic dimensions set" if any(dim < 0 for dim in model_dims(tensor)) else ""
        if self._zero:
            return f"zeros{chosen}"
        low, high = self._integers.get(tensor.name, (0, 2))
        integers = "0 or 1" if (low, high) == (0, 2) else f"{low} to {high - 1}"
        source = "uniform in [0, 1)" if _is_float(tensor.datatype) else integers
        return f"random, {source}{chosen}"


def _is_float(datatype: str) -> bool:
    return DATATYPES[datatype].kind == "f"


def _random(
    datatype: str,
    shape: tuple[int, ...],
    rng: np.random.Generator,
    texts: Iterator[str],
    limits: tuple[int, int] | None,
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
    if limits is not None:
        # In the type itself: uint64 reaches beyond what int64 holds.
        return rng.integers(*limits, size=shape, dtype=DATATYPES[datatype])
    return rng.integers(0, 2, size=shape).astype(DATATYPES[datatype])


def _zeros(datatype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    zeros = np.zeros(shape, dtype=DATATYPES[datatype])
    return to_bfloat16(zeros) if datatype == "BF16" else zeros


def _check_size(tensor: TensorSpec, shape: tuple[int, ...]) -> None:
    size = math.prod(shape) * DATATYPES[tensor.datatype].itemsize
    if size > MAX_REQUEST:
        raise ConfigError(
            f"input {tensor.name!r} of shape {list(shape)} is too large: it takes "
            f"{format_size(size)}, and a request holds {format_size(MAX_REQUEST)} at most."
        )


def _check_range(tensor: TensorSpec, limits: tuple[int, int]) -> None:
    dtype = DATATYPES[tensor.datatype]
    if dtype.kind not in "iu":
        raise ConfigError(
            f"input {tensor.name!r} is {tensor.datatype}: a range of integers does not fit it."
        )
    info = np.iinfo(dtype)
    if not info.min <= limits[0] < limits[1] <= info.max + 1:
        raise ConfigError(
            f"the integers of input {tensor.name!r} ({tensor.datatype}) must lie in "
            f"{info.min}..{info.max + 1}, but got {limits[0]}..{limits[1]}."
        )


def _given_array(tensor: TensorSpec, value: Any) -> NDArray[Any]:
    try:
        array = to_array(value, tensor.datatype, tensor.shape, batched=tensor.batched)
    except InvalidInput as error:
        raise ConfigError(f"the value of input {tensor.name!r} {error}.") from error
    if tensor.batched and not len(array):
        raise ConfigError(f"the value of input {tensor.name!r} has no rows to send.")
    return array


def _shuffled_forever(texts: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    for turn in itertools.count(1):
        number = f" ({turn})" if turn > 1 and texts is SENTENCES else ""
        for index in rng.permutation(len(texts)):
            yield texts[index] + number
