"""
Conversions, in a process of their own.

Frameworks run there: their warnings, threads and memory end with it, and it
sees no model hub. What it prints is shown when it fails, and only then.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tritonkit.errors import ExportError
from tritonkit.export.scratch import NO_SPACE, no_space
from tritonkit.extras import require

__all__ = ["require_installed", "run_child"]

_TAIL = 30

REPORT = "tritonkit: "
"""A line of a child that starts so is progress, not output."""


def run_child(
    module: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    what: str,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """
    Run `python -m MODULE ARGUMENTS...` to its end.

    Args:
        module: Full name of a module with a `__main__` part.
        arguments: Its command line.
        folder: Directory for its temporary files.
        what: What it does, for the error: "FOLDER could not be converted to ONNX".
        progress: Told what each line says that the child prints after REPORT.

    Raises:
        ExportError: If it exits with another status than 0; the message starts with
            *what* and ends with the child's last lines, or says that its disk is full.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=os.environ
        | {
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
            "TOKENIZERS_PARALLELISM": "false",
            # torch leaves a cache behind.
            "TMPDIR": str(folder),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines: list[str] = []
    assert process.stdout is not None
    try:
        with process.stdout:
            for line in process.stdout:
                if line.startswith(REPORT):
                    progress(line.removeprefix(REPORT).rstrip("\n"))
                else:
                    lines = [*lines[1 - _TAIL :], line]
        status = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if status != 0:
        if any(NO_SPACE in line for line in lines):
            raise ExportError(f"{what}: {no_space(folder)}")
        raise ExportError(f"{what} (exit status {status}):\n{''.join(lines).rstrip()}")


def require_installed(*modules: str, extra: str) -> None:
    """
    Fail early, in words, without paying for the import.

    Raises:
        MissingExtra: If one of the top-level *modules* is not installed.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            require(module, extra=extra)
