"""Samples of NumPy's archives."""

from __future__ import annotations

import io
import struct
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.samples.table import Table

__all__ = ["read_npz"]

_MOST_BYTES = 4 << 30

_BROKEN = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and NumPy raise for a file that is none of theirs."""


def read_npz(file: Path, content: bytes) -> Table:
    """
    Arrays by input, the first axis of each the samples, as `numpy.savez` writes them.

    Raises:
        ConfigError: If it is no such archive, or an array is of objects, complex
            numbers or dates, or of another length than the first.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_members(file, members)
            arrays = {
                member.filename.removesuffix(".npy"): _read(file, archive, member)
                for member in members
            }
    except ConfigError:
        raise
    except _BROKEN as error:
        raise ConfigError(f"{file} is not an archive of numpy.savez: {error}.") from error
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ConfigError(f"{file}: the arrays must have one length, but have {lengths}.")
    count = next(iter(lengths.values()), 0)
    return Table(file, arrays, [f"{file}, row {row}" for row in range(count)])


def _check_members(file: Path, members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{file}: the array {name!r} is there twice.")
    unpacked = sum(member.file_size for member in members)
    if unpacked > _MOST_BYTES:
        raise ConfigError(
            f"{file}: arrays must have at most {_MOST_BYTES:,} bytes, but have {unpacked:,}."
        )


def _read(file: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    where = f"{file}: the array {member.filename.removesuffix('.npy')!r}"
    try:
        with archive.open(member) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    except _BROKEN as error:
        raise ConfigError(f"{where} cannot be read: {error}.") from error
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{where} must be UTF-8: {error}.") from error
    if array.dtype.kind not in "biufU" or array.ndim == 0:
        raise ConfigError(
            f"{where} must be numbers, true and false, or strings, with an axis of samples, "
            f"but is {array.dtype} of shape {list(array.shape)}."
        )
    return array.astype(np.object_) if array.dtype.kind == "U" else array
