"""A file of rows as arrays, and what a model answers to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.commands.row_file import Row, RowFile, join_values, open_rows
from tritonkit.client.signature import Signature, TensorSpec
from tritonkit.errors import ConfigError, InvalidInput

__all__ = ["Collected", "read_labels", "recorded", "recorded_outputs"]

Arrays = Mapping[str, NDArray[Any]]


class Collected:
    """
    Asks a model for every row, and keeps inputs and outputs.

    Args:
        client: Asks.
        signature: Of the model.
        batch: Rows a request, up to what the model takes.
    """

    def __init__(self, client: AsyncClient, signature: Signature, *, batch: int) -> None:
        self._client, self._signature = client, signature
        self.by_row = signature.max_batch_size > 0
        self._batch = min(batch, signature.max_batch_size) if self.by_row else 1
        self._inputs: list[Arrays] = []
        self._outputs: list[Arrays] = []

    async def run(self, rows: RowFile) -> AsyncIterator[int]:
        """
        Ask; yields how many rows are done.

        Raises:
            RequestError: If the model gives no answer.
        """
        batch: list[Row] = []
        done = 0
        for row in rows:
            batch.append(row)
            if len(batch) == self._batch:
                done += await self._ask(batch)
                yield done
                batch = []
        if batch:
            yield done + await self._ask(batch)

    def inputs(self) -> Arrays:
        """Of all rows."""
        return _joined(self._inputs)

    def outputs(self) -> Arrays:
        """Of all rows."""
        return _joined(self._outputs)

    async def _ask(self, batch: list[Row]) -> int:
        values = join_values(batch) if self.by_row else batch[0].values
        inputs = self._signature.arrays(values)
        answer = await self._client.infer(self._signature.model, inputs)
        for kept, arrays in ((self._inputs, inputs), (self._outputs, answer)):
            own = {name: a if self.by_row else a[np.newaxis] for name, a in arrays.items()}
            kept.append(own)
        return len(batch)


def recorded(path: Path, name: str | None, *, texts: Sequence[str] = ()) -> Arrays:
    """
    The rows of a file as arrays, by what the file says alone.

    Args:
        path: As `open_rows` has it.
        name: The input, where the file names none.
        texts: Names of inputs, if they are known.

    Raises:
        ConfigError: If the file cannot be read, or its rows differ in shape.
    """
    names = [name] if name is not None else list(texts)
    specs = {it: TensorSpec(name=it, datatype="BYTES", shape=(-1, 1)) for it in names}
    signature = Signature(model="recorded", inputs=specs, outputs={}, max_batch_size=1)
    if path.suffix in (".txt", ".npy") and len(names) != 1:
        raise ConfigError(f"{path} names no input: name it with --input.")
    rows = list(open_rows(path, signature, name))
    if not rows:
        raise ConfigError(f"{path} has no row.")
    try:
        return {it: _array(values) for it, values in join_values(rows).items()}
    except (ValueError, InvalidInput) as error:
        raise ConfigError(
            f"rows of {path} must have the same inputs and shapes: {error}"
        ) from error


def recorded_outputs(path: Path) -> Arrays:
    """
    Outputs that were recorded, from an .npz file or one of rows.

    Raises:
        ConfigError: If the file cannot be read.
    """
    return recorded(path, None)


def read_labels(path: Path) -> NDArray[Any]:
    """
    The class of each row: .npy, or a whole number in each line.

    Raises:
        ConfigError: If the file cannot be read, or has anything else.
    """
    try:
        if path.suffix == ".npy":
            found: NDArray[Any] = np.load(path, allow_pickle=False)
        else:
            lines = path.read_text(encoding="utf-8").split()
            found = np.array([int(line) for line in lines], dtype=np.int64)
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"{path} cannot be read as labels: {error}") from error
    if found.dtype.kind not in "iu" or not found.ndim:
        raise ConfigError(f"{path} must have whole numbers, but has {found.dtype}.")
    return found


def _joined(parts: Sequence[Arrays]) -> Arrays:
    try:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except (ValueError, KeyError) as error:
        raise ConfigError(f"rows must have the same tensors and shapes: {error}") from error


def _array(values: Any) -> NDArray[Any]:
    array: NDArray[Any] = np.asarray(values)
    return array.astype(np.object_) if array.dtype.kind in "US" else array
