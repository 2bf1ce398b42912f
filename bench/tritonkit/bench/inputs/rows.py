"""Requests of the rows that files give."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.inputs.dims import model_dims, of_tokens
from tritonkit.bench.inputs.entry import Encoded, Entries, Entry
from tritonkit.bench.inputs.expectation import Expectation, Tolerances, expected_array
from tritonkit.bench.inputs.workload import Item
from tritonkit.client import Signature, TensorSpec
from tritonkit.client.conversion import to_array
from tritonkit.client.wire.tensors import encode_tensor
from tritonkit.errors import ConfigError, InvalidInput, MissingExtra

__all__ = ["Rows"]

_MOST_FINDINGS = 10


class Rows:
    """
    Makes requests of the entries of files.

    Args:
        signature: The model's.
        files: Their entries, one file after the other.
        shapes: Shapes without the batch dimension, by input name, for the dynamic
            dimensions of what does not tell its shape; -1 leaves a dimension to it.
        tolerances: For what is expected.

    Raises:
        ConfigError: If there is no entry.
    """

    def __init__(
        self,
        signature: Signature,
        files: Sequence[Entries],
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        tolerances: Tolerances | None = None,
    ) -> None:
        self._signature = signature
        self._files = files
        self._shapes = shapes or {}
        self._tolerances = tolerances or Tolerances()
        self.count = sum(map(len, files))
        if not self.count:
            raise ConfigError(f"there is no request for model {signature.model!r} in its files.")
        first = next(entry for file in files for entry in file)
        self._names = frozenset(first.inputs) & signature.inputs.keys()
        self._first = first.place

    @property
    def names(self) -> Collection[str]:
        """The model's inputs that the first entry has; needed ones are in all of them."""
        return self._names

    def requests(
        self,
        count: int,
        batch_size: int,
        others: Callable[[int | None], Mapping[str, NDArray[Any]]],
    ) -> Iterator[Item]:
        """
        *count* requests of *batch_size* rows, which are taken in turn.

        Args:
            count: How many.
            batch_size: Rows of each.
            others: Makes the inputs that the files do not have, of one request after the
                other, from how many tokens the request has.

        Raises:
            ConfigError: After the requests that precede the first wrong one; it names
                ten mistakes at most.
        """
        entries = self._forever()
        findings: list[str] = []
        for _ in range(count):
            rows: list[Entry] = []
            try:
                rows.extend(itertools.islice(entries, batch_size))
                item = self._item(rows, others)
            except MissingExtra:
                raise
            except ConfigError as error:
                findings.append(str(error))
                if len(findings) == _MOST_FINDINGS:
                    findings.append("and perhaps more")
                    break
                if len(rows) < batch_size:
                    # The line itself cannot be read, and what follows it neither.
                    break
            else:
                if not findings:
                    yield item
        if findings:
            raise ConfigError("\n".join(findings))

    def _forever(self) -> Iterator[Entry]:
        while True:
            for file in self._files:
                yield from file

    def _item(
        self,
        rows: Sequence[Entry],
        others: Callable[[int | None], Mapping[str, NDArray[Any]]],
    ) -> Item:
        for row in rows:
            self._check_names(row)
        first = rows[0]
        for row in rows[1:]:
            for what in ("inputs", "expected"):
                if getattr(row, what).keys() != getattr(first, what).keys():
                    raise ConfigError(
                        f"{row.place}: has other {what} than {first.place}, "
                        "with which it shares a request: make the batch size 1."
                    )
            if (row.parameters, row.outputs) != (first.parameters, first.outputs):
                raise ConfigError(
                    f"{row.place}: has other parameters or outputs than {first.place}, "
                    "with which it shares a request: make the batch size 1."
                )
        inputs = {name: self._input(name, rows) for name in first.inputs}
        expected = {name: self._output(name, rows) for name in first.expected}
        specs = self._signature.outputs
        return Item(
            inputs=inputs | dict(others(self._tokens(inputs))),
            rows=len(rows),
            outputs=first.outputs,
            parameters=first.parameters,
            check=Expectation(
                outputs=expected,
                tolerances={name: self._tolerances.of(specs[name]) for name in expected},
            )
            if expected
            else None,
        )

    def _tokens(self, inputs: Mapping[str, NDArray[Any]]) -> int | None:
        specs = self._signature.inputs
        return next((a.shape[-1] for n, a in inputs.items() if of_tokens(specs[n])), None)

    def _input(self, name: str, rows: Sequence[Entry]) -> NDArray[Any]:
        spec = self._signature.inputs[name]
        dims = tuple(self._shapes.get(name, model_dims(spec)))
        arrays = []
        for row in rows:
            value = row.inputs[name]
            try:
                array = (
                    value.array(spec.datatype, dims)
                    if isinstance(value, Encoded)
                    else to_array(value, spec.datatype, dims, batched=False)
                )
                if spec.datatype == "BYTES":
                    # Here its place is known, later it is not.
                    encode_tensor(array, spec.datatype)
                arrays.append(array)
            except InvalidInput as error:
                raise ConfigError(f"{row.place}: input {name!r} {error}.") from error
        return _joined(f"input {name!r}", spec, arrays, rows)

    def _output(self, name: str, rows: Sequence[Entry]) -> NDArray[Any]:
        spec = self._signature.outputs[name]
        dims = model_dims(spec)
        arrays = []
        for row in rows:
            value = row.expected[name]
            try:
                if isinstance(value, Encoded):
                    value = value.array(spec.datatype, dims)
                array = expected_array(value, spec)
                if array.ndim < len(dims) and all(dim == 1 for dim in dims[array.ndim :]):
                    array = array.reshape(array.shape + (1,) * (len(dims) - array.ndim))
                if len(dims) != array.ndim or any(
                    dim not in (-1, size) for dim, size in zip(dims, array.shape, strict=True)
                ):
                    raise InvalidInput(
                        f"must have shape {list(dims)} ({spec.datatype}), "
                        f"but got {list(array.shape)}"
                    )
                arrays.append(array)
            except InvalidInput as error:
                raise ConfigError(f"{row.place}: output {name!r} {error}.") from error
        return _joined(f"output {name!r}", spec, arrays, rows)

    def _check_names(self, row: Entry) -> None:
        signature = self._signature
        for kind, given, known in (
            ("input", row.inputs, signature.inputs),
            ("output", (*row.outputs, *row.expected), signature.outputs),
        ):
            for name in given:
                if name not in known:
                    raise ConfigError(
                        f"{row.place}: model {signature.model!r} has no {kind} {name!r}; "
                        f"its {kind}s are {', '.join(known)}."
                    )
        missing = [n for n in self._names - row.inputs.keys() if not signature.inputs[n].optional]
        if missing:
            raise ConfigError(
                f"{row.place}: input {min(missing)!r} is missing, which {self._first} has."
            )
        more = sorted(n for n in row.inputs if n not in self._names)
        if more and not signature.inputs[more[0]].optional:
            raise ConfigError(f"{row.place}: has input {more[0]!r}, which {self._first} lacks.")
        for name, value in row.parameters.items():
            finite = not isinstance(value, float) or math.isfinite(value)
            if not isinstance(value, (str, int, float)) or not finite:
                raise ConfigError(
                    f"{row.place}: parameter {name!r} must be a text, a finite number, true or "
                    f"false, but got {value!r}."
                )


def _joined(
    what: str, spec: TensorSpec, arrays: Iterable[NDArray[Any]], rows: Sequence[Entry]
) -> NDArray[Any]:
    arrays = list(arrays)
    if not spec.batched:
        # What stands for a whole batch stands in its first row.
        return arrays[0]
    for row, array in zip(rows, arrays, strict=True):
        if array.shape != arrays[0].shape:
            raise ConfigError(
                f"{row.place}: {what} has shape {list(array.shape)}, but in {rows[0].place}, "
                f"with which it shares a request, {list(arrays[0].shape)}: make the batch size 1."
            )
    return np.stack(arrays)
