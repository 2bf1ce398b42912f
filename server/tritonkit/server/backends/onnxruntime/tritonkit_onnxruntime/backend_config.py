"""The `--backend-config` of the server, which Triton does not hand to a Python model."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from .errors import LoadError

__all__ = ["default_max_batch_size", "server_arguments"]

_FLAG = "--backend-config"
_SETTING = "default-max-batch-size"
_DEFAULT = 4


def server_arguments(process: int | None = None) -> list[str]:
    """
    The command line of the server: a stub is the server's child.

    Returns:
        The arguments; none where the command line cannot be read.
    """
    parent = os.getppid() if process is None else process
    try:
        line = Path(f"/proc/{parent}/cmdline").read_bytes()
    except OSError:
        return []
    return [argument.decode(errors="replace") for argument in line.split(b"\0")[:-1]]


def default_max_batch_size(arguments: Sequence[str]) -> int:
    """
    The `default-max-batch-size` of a server's command line, 4 without one.

    A setting for the onnxruntime backend wins over one for every backend.

    Raises:
        LoadError: If it is not a number.
    """
    size = str(_DEFAULT)
    for backend in ("", "onnxruntime"):
        for value in _values(arguments):
            name, comma, setting = value.rpartition(",")
            key, _, given = setting.partition("=")
            if key == _SETTING and name == backend and bool(comma) == bool(backend):
                size = given
    try:
        return int(size)
    except ValueError:
        raise LoadError(f"failed to convert '{size}' to integral number") from None


def _values(arguments: Sequence[str]) -> Iterable[str]:
    for position, argument in enumerate(arguments):
        if argument.startswith(_FLAG + "="):
            yield argument.removeprefix(_FLAG + "=")
        elif argument == _FLAG:
            yield from arguments[position + 1 : position + 2]
