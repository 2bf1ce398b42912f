"""Samples of a user's file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tritonkit.errors import ConfigError
from tritonkit.export.samples.csv_file import read_csv
from tritonkit.export.samples.image_folder import read_image_folder
from tritonkit.export.samples.lines import read_json_lines, read_lines
from tritonkit.export.samples.npz import read_npz
from tritonkit.export.samples.samples import Samples
from tritonkit.export.samples.table import Table, as_samples

__all__ = ["LIMIT", "read_samples"]

LIMIT = 2_000
"""How many samples are read: enough for 1 point of standard error of a share near 0.7."""

_READERS: Mapping[str, Callable[[Path, bytes], Table]] = {
    ".csv": read_csv,
    ".jsonl": read_json_lines,
    ".npz": read_npz,
    ".txt": read_lines,
}

_MOST_BYTES = 1 << 30


def read_samples(
    file: Path, *, columns: Sequence[str] | None = None, limit: int = LIMIT
) -> Samples:
    """
    Samples of a file or folder.

    .txt: a text a line. .jsonl: an object a line, of inputs by name, such as "text", or
    "image" with the path of a file from this one's folder; "label": the right answer;
    "match": the text that a search for this one should find, which is added as a sample.
    .csv: with a header of the same names. .npz: arrays by input, and "label". A folder:
    its images, or those of its folders, whose names are their labels.

    Args:
        file: Where from.
        columns: The model's inputs, to be read from the file, which may hold more; None
            for all but "label" and "match". The texts of a .txt are the first of them.
        limit: The most samples, spaced evenly over the file; matches come on top.

    Returns:
        Samples whose origin is "NAME, sha256 (16 hex digits), N samples", "of M" where
        there are more.

    Raises:
        ConfigError: If the file cannot be read, or a line or value in it is wrong.
    """
    if limit < 1:
        raise ConfigError(f"limit must be 1 or more, but got {limit}.")
    if file.is_dir():
        return read_image_folder(file, limit)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise ConfigError(
            f"{file}: samples must be one of {', '.join(_READERS)} or a folder of images."
        )
    try:
        size = file.stat().st_size
        if size > _MOST_BYTES:
            raise ConfigError(
                f"{file}: samples must have at most {_MOST_BYTES:,} bytes, but have {size:,}."
            )
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    table = reader(file, content)
    if not table.places:
        raise ConfigError(f"{file} holds no samples.")
    if reader is read_lines and columns:
        table = Table(file, {columns[0]: table.columns["text"]}, table.places)
    origin = f"{file.name}, sha256 {hashlib.sha256(content).hexdigest()[:16]}"
    return as_samples(table, columns, limit, origin)
