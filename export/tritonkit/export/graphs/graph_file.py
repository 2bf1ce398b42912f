"""An .onnx file and the data files beside it, read into one model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.extras import require

__all__ = ["check_graph", "digest_files", "external_files", "read_graph"]

_LARGEST = 2**31 - 1
"""Bytes that protobuf can hold in one message."""


def read_graph(path: Path) -> Any:
    """
    Read an ONNX file.

    Returns:
        An onnx.ModelProto that holds all of its weights.

    Raises:
        ConfigError: If it is no ONNX file, or is cut off or larger than 2 GB, or if a file of
            its weights is missing.
        MissingExtra: If onnx is not installed.
    """
    onnx = require("onnx", extra="export")
    protobuf = require("google.protobuf.message", extra="export")
    if not path.is_file():
        raise ConfigError(f"{path} is no file; export takes an .onnx file.")
    try:
        model = onnx.load(path, load_external_data=False)
    except protobuf.DecodeError as error:
        raise ConfigError(f"{path} is no ONNX file, or its end is missing.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    if not model.graph.node or not model.graph.output:
        raise ConfigError(f"{path} is no ONNX file, or an empty one: it holds no nodes.")
    files = external_files(path, model)
    size = sum(file.stat().st_size for file in (path, *files))
    if size > _LARGEST:
        raise ConfigError(
            f"{path} has {size / 1e9:.1f} GB with its external data; export takes models of up "
            "to 2 GB, as one file can hold no more. Export it in half precision."
        )
    try:
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ConfigError(f"{path}: its external data cannot be read: {error}") from error
    return model


def check_graph(model: Any, where: str) -> None:
    """
    Refuse what the standard does not allow, though onnxruntime may load it.

    Args:
        model: onnx.ModelProto that holds all of its weights; a graph without a name gets one.
        where: The file's name, for errors.

    Raises:
        ConfigError: If onnx finds it invalid; the message ends with onnx's words.
    """
    onnx = require("onnx", extra="export")
    # The standard wants a name that nothing reads.
    model.graph.name = model.graph.name or "graph"
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise ConfigError(f"{where} is no valid ONNX file: {reason}.") from error


def external_files(path: Path, model: Any) -> tuple[Path, ...]:
    """
    The files that hold weights of *model*, sorted.

    Raises:
        ConfigError: If one is missing or lies outside the folder of *path*.
    """
    folder = path.parent.resolve()
    found = set()
    for location in _locations(model):
        file = folder / location
        if not file.resolve().is_relative_to(folder):
            raise ConfigError(f"{path} wants external data from outside its folder: {location}.")
        if not file.is_file():
            raise ConfigError(f"{path} has its weights in {location}, which is not beside it.")
        found.add(file)
    return tuple(sorted(found))


def digest_files(files: Iterable[Path]) -> str:
    """
    sha256 over the contents of *files*, whatever they are called, 64 hex digits.

    Raises:
        ConfigError: If one cannot be read.
    """
    total = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
        total.update(f"{digest}\n".encode())
    return total.hexdigest()


def _locations(model: Any) -> set[str]:
    """Where tensors lie that are not in the model itself, in its subgraphs too."""
    onnx = require("onnx", extra="export")
    found = set()
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        tensors = list(graph.initializer)
        for sparse in graph.sparse_initializer:
            tensors += [sparse.values, sparse.indices]
        for attribute in (a for node in graph.node for a in node.attribute):
            tensors += [attribute.t, *attribute.tensors]
            graphs += [g for g in (attribute.g, *attribute.graphs) if g.node]
        found |= {
            entry.value
            for tensor in tensors
            if tensor.data_location == onnx.TensorProto.EXTERNAL
            for entry in tensor.external_data
            if entry.key == "location"
        }
    return found
