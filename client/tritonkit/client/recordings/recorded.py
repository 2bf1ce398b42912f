"""Reads what `tritonkit.client.recordings.recording` wrote, whole or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.recordings.recording import FORMAT, HEAD, MAGIC, NAME, RECORD, ROW, SUFFIX
from tritonkit.errors import ConfigError

__all__ = ["Recorded", "read_traces"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recorded:
    """
    Rows that a cache was asked for, in the order of time; an array each of shape (rows,).

    Args:
        times: Seconds since 1970-01-01 UTC.
        keys: The first 8 bytes of each row's key.
        sizes: Bytes of its entry; 0 where it was not known.
        seconds: What the model took for it; 0 where it was not known.
        models: Indices into names.
        processes: Which process was asked, from 0.
        names: Names of the models.
        damaged: Records that could not be read.
    """

    times: NDArray[np.float64]
    keys: NDArray[np.uint64]
    sizes: NDArray[np.int64]
    seconds: NDArray[np.float64]
    models: NDArray[np.int64]
    processes: NDArray[np.int64]
    names: tuple[str, ...]
    damaged: int = 0

    def __len__(self) -> int:
        return len(self.times)

    @property
    def span(self) -> float:
        """Seconds from the first row to the last."""
        return float(self.times[-1] - self.times[0]) if len(self) else 0.0

    @property
    def distinct(self) -> int:
        """How many different rows there are: what no cache can avoid."""
        return len(np.unique(self.keys))


def read_traces(paths: Sequence[str | Path]) -> Recorded:
    """
    Read traces as one.

    Args:
        paths: Folders of traces, or files out of them.

    Raises:
        ConfigError: If a path is no trace, or is of another format.
    """
    names: dict[str, int] = {}
    parts: list[tuple[NDArray[Any], NDArray[np.int64]]] = []
    damaged = 0
    for path in _files(paths):
        rows, models, lost = _read(path, names)
        parts.append((rows, models))
        damaged += lost
    rows = np.concatenate([rows for rows, _ in parts])
    # Stable: what a process was asked for at one time stays in its order.
    order = np.argsort(rows["time"], kind="stable")
    rows = rows[order]
    return Recorded(
        times=rows["time"].astype(np.float64),
        keys=np.ascontiguousarray(rows["key"]).view("<u8").astype(np.uint64),
        sizes=rows["size"].astype(np.int64),
        seconds=rows["seconds"].astype(np.float64),
        models=np.concatenate([models for _, models in parts])[order],
        processes=np.repeat(np.arange(len(parts)), [len(rows) for rows, _ in parts])[order],
        names=tuple(names),
        damaged=damaged,
    )


def _files(paths: Sequence[str | Path]) -> Iterator[Path]:
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        files = sorted(path.glob(f"*{SUFFIX}"))
        if not files:
            raise ConfigError(f"{path} is no trace of keys: it holds no file *{SUFFIX}.")
        yield from files


def _read(path: Path, names: dict[str, int]) -> tuple[NDArray[Any], NDArray[np.int64], int]:
    """The rows of one file, their models in *names*, and how many records are damaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    count, rest = divmod(len(data), RECORD.itemsize)
    records = np.frombuffer(data, RECORD, count)
    if not count and path.suffix == SUFFIX:
        # Killed before its first record was whole.
        return records, np.zeros(0, dtype=np.int64), int(rest > 0)
    if not count or records["kind"][0] != HEAD or records["key"][0].tobytes() != MAGIC:
        raise ConfigError(f"{path} is no trace of keys: it does not begin as one.")
    if records["model"][0] != FORMAT:
        raise ConfigError(
            f"{path} is a trace of format {records['model'][0]}, "
            f"but this tritonkit reads format {FORMAT}."
        )
    numbers = np.full(2**16, -1, dtype=np.int64)
    for number, name in _names(records).items():
        numbers[number] = names.setdefault(name, len(names))
    kinds = records["kind"]
    good = (
        (kinds == ROW)
        & (numbers[records["model"]] >= 0)
        & np.isfinite(records["time"])
        & (records["seconds"] >= 0)
        & np.isfinite(records["seconds"])
    )
    damaged = int(count - 1 - good.sum() - (kinds == NAME).sum()) + (rest > 0)
    rows = records[good]
    return rows, numbers[rows["model"]], int(damaged)


def _names(records: NDArray[Any]) -> dict[int, str]:
    pieces: dict[int, bytes] = {}
    for record in records[records["kind"] == NAME]:
        number = int(record["model"])
        pieces[number] = pieces.get(number, b"") + record.tobytes()[8:]
    return {
        number: piece.rstrip(b"\0").decode(errors="backslashreplace")
        for number, piece in pieces.items()
    }
