"""Rewriting an ONNX file: read, change, write whole or not at all."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tritonkit.errors import ExportError, TritonkitError
from tritonkit.export.scratch import is_no_space, no_space
from tritonkit.extras import require

__all__ = ["load", "rewrite", "store"]


def rewrite(source: Path, target: Path, change: Callable[[Any], Any], *, what: str) -> None:
    """
    Write what *change* makes of *source* to *target*.

    Args:
        source: ONNX file; it stays as it is.
        target: ONNX file to write; it may be *source*'s folder, but not *source*.
        change: Takes an onnx.ModelProto, which it may alter, and returns one.
        what: What is done, for the error: "quantisation to int8".

    Raises:
        ExportError: If *change* fails, or the file cannot be written. Nothing is written.
        MissingExtra: If the export extra is not installed.
    """
    require("onnx", extra="export")
    try:
        with _quiet():
            model = change(load(source))
            store(model, target)
    except TritonkitError:
        raise
    # The tools raise whatever a graph they did not foresee makes them raise.
    except Exception as error:
        if is_no_space(error):
            raise ExportError(f"{what} failed: {no_space(target.parent)}") from error
        raise ExportError(f"{what} of {source} failed: {type(error).__name__}: {error}") from error


def load(source: Path) -> Any:
    """
    The onnx.ModelProto in *source*, with its weights.

    Each node has a name of its own, the same at every reading, as nodes are excluded
    and ranked by name.
    """
    onnx = require("onnx", extra="export")
    model = onnx.load(str(source))
    uses = Counter(node.name for node in model.graph.node)
    for position, node in enumerate(model.graph.node):
        if not node.name or uses[node.name] > 1:
            node.name = f"{node.op_type}#{position}"
    return model


def store(model: Any, target: Path) -> None:
    """Write *model* to *target*, whole or not at all."""
    onnx = require("onnx", extra="export")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
        written = Path(folder) / target.name
        onnx.save(model, str(written))
        written.replace(target)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The tools advise, print and warn of what nobody can act on; errors are raised."""
    disabled = logging.root.manager.disable
    # Without a handler, logging.warning() would add one to the root for good.
    handler = logging.NullHandler()
    logging.root.addHandler(handler)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        logging.root.removeHandler(handler)
