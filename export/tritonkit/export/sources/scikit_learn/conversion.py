"""From a fitted model of scikit-learn to ONNX, by skl2onnx and what it lacks."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.missing_values import send_missing_values
from tritonkit.export.graphs.names import rename
from tritonkit.export.graphs.opset import OPSET
from tritonkit.export.graphs.signature import numpy_type
from tritonkit.export.graphs.zip_map import strip_zip_maps
from tritonkit.export.sources.scikit_learn.columns import Columns
from tritonkit.export.sources.scikit_learn.converters import OPSETS, add_converters
from tritonkit.export.sources.scikit_learn.estimators import fitted_type, nested
from tritonkit.extras import require

__all__ = ["convert_scikit_learn", "output_shapes"]

# What scikit-learn's vectorizers take for a word, by default and most often, and the same
# for the regular expressions of onnxruntime.
_LONG_WORD, _ANY_WORD = r"[\p{L}\p{N}_]{2,}", r"[\p{L}\p{N}_]+"
_WORDS = {
    r"(?u)\b\w\w+\b": _LONG_WORD,
    r"(?u)\b\w+\b": _ANY_WORD,
    r"\b\w+\b": _ANY_WORD,
    r"\w+": _ANY_WORD,
}
_CLASS = re.compile(r"type '?<class '([\w.]+)'>")


def convert_scikit_learn(model: Any, columns: Columns) -> Any:
    """
    Convert *model* with skl2onnx.

    Args:
        model: A fitted estimator or pipeline of scikit-learn.
        columns: What the graph is to take.

    Returns:
        onnx.ModelProto of opset 17, of tensors alone.

    Raises:
        ConfigError: If skl2onnx cannot convert it; the message names the part.
    """
    skl2onnx = require("skl2onnx", extra="tabular")
    types = require("skl2onnx.common.data_types", extra="tabular")
    kinds = {
        "TYPE_FP32": types.FloatTensorType,
        "TYPE_INT64": types.Int64TensorType,
        "TYPE_STRING": types.StringTensorType,
    }
    initial = [(t.name, kinds[t.data_type]([None, *t.dims])) for t in columns.inputs]
    try:
        add_converters(_boosters_of_sparse_rows(model, columns))
        graph = skl2onnx.convert_sklearn(
            model, initial_types=initial, options=_options(model), target_opset=OPSETS
        )
    except ConfigError:
        raise
    except Exception as error:  # skl2onnx's errors share no narrower class
        raise ConfigError(_in_words(str(error), type(model).__name__)) from error
    # It replaces what cannot be in the name of a variable.
    for value, tensor in zip(list(graph.graph.input), columns.inputs, strict=True):
        rename(graph.graph, value.name, tensor.name)
    strip_zip_maps(graph)
    send_missing_values(graph, [step.tree_ for _, step in nested(model) if hasattr(step, "tree_")])
    onnx = require("onnx", extra="export")
    for node in graph.graph.node:
        if node.op_type == "StringNormalizer":
            # Its default, en_US, is on few servers.
            node.attribute.append(onnx.helper.make_attribute("locale", "C.UTF-8"))
    return onnx.version_converter.convert_version(graph, OPSET)


def _options(model: Any) -> dict[int, dict[str, Any]]:
    """What skl2onnx must be told, by the id of the estimator that it is told of."""
    options: dict[int, dict[str, Any]] = {}
    for _, step in nested(model):
        pattern = getattr(step, "token_pattern", None)
        if pattern in _WORDS and getattr(step, "analyzer", "") == "word":
            # It takes words for those of ASCII.
            options[id(step)] = {"tokenexp": _WORDS[pattern]}
        if type(step).__name__ in ("SVC", "NuSVC") and len(step.classes_) == 2:
            # Its scores have the other sign.
            options[id(step)] = {"raw_scores": not hasattr(step, "predict_proba")}
    return options


def _in_words(message: str, model: str) -> str:
    if found := _CLASS.search(message):
        return (
            f"{found[1]} in {model} cannot be converted to ONNX: skl2onnx has no converter for "
            "it. Another estimator in its place would work, or "
            "an .onnx file that you make with a converter of your own."
        )
    reason = " ".join(message.split())[:300]
    return f"{model} cannot be converted to ONNX: skl2onnx says: {reason}"


def output_shapes(graph: Any, columns: Columns) -> list[tuple[str, int]]:
    """
    (type, size of a row) of each output: asked of a run, since converters declare some wrongly.

    Raises:
        ConfigError: If onnxruntime does not run the graph.
    """
    onnxruntime = require("onnxruntime", extra="export")
    options = onnxruntime.SessionOptions()
    # 4: fatal. It warns of the shapes that are about to be replaced.
    options.log_severity_level = 4
    feeds = {
        t.name: np.array([columns.example[t.name]]).astype(numpy_type(t.data_type))
        for t in columns.inputs
    }
    try:
        outputs = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        ).run(None, feeds)
    except Exception as error:  # onnxruntime's errors share no narrower class
        raise ConfigError(
            f"onnxruntime does not run what skl2onnx made of the model: {str(error)[:300]}"
        ) from error
    kinds = {"f": "TYPE_FP32", "i": "TYPE_INT64", "O": "TYPE_STRING"}
    arrays = [np.asarray(output) for output in outputs]
    return [(kinds[array.dtype.kind], array.size) for array in arrays]


def _boosters_of_sparse_rows(model: Any, columns: Columns) -> frozenset[int]:
    """Ids of XGBoost's estimators that end a Pipeline whose other steps give sparse matrices."""
    found = frozenset(
        id(step) for _, step in nested(model) if type(step).__module__.startswith("xgboost")
    )
    if not found or len(getattr(model, "steps", ())) < 2:
        return frozenset()
    sparse = hasattr(model[:-1].transform(columns.example_row(fitted_type(model))), "toarray")
    return found if sparse else frozenset()
