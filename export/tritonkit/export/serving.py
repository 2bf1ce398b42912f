"""The models that a text embedding model becomes on Triton, and their names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from tritonclient.grpc import model_config_pb2

from tritonkit.export.pooling import OUTPUT
from tritonkit.export.source import SentenceTransformer
from tritonkit.repository import Model, ModelConfig, Step, Tensor, add_tensors, ensemble_config

__all__ = [
    "BATCH_INVARIANT",
    "MODEL_DIGEST",
    "encoder_model",
    "encoder_name",
    "ensemble_digest",
    "ensemble_model",
    "ensemble_name",
    "model_digest",
    "tokenizer_model",
    "tokenizer_name",
]

MODEL_DIGEST = "tritonkit.model_digest"
"""Parameter: sha256 of what decides the answers; a change of model changes it."""

BATCH_INVARIANT = "tritonkit.batch_invariant"
"""Parameter: "true" where an answer does not depend on the rest of its batch."""

_TEXT = Tensor("text", "TYPE_STRING", (1,))
_IDS = Tensor("input_ids", "TYPE_INT64", (-1,))
_MASK = Tensor("attention_mask", "TYPE_INT64", (-1,))
# A token costs a lone caller as much as any other: 4 wastes 1.5 of them on average.
_PAD_TO_MULTIPLE_OF = 4
_TOKENIZER_FILES = ("model.py", "batch.py")


def ensemble_name(name: str, precision: str) -> str:
    """What clients call: NAME in full precision, else NAME_int8."""
    return name if precision == "fp32" else f"{name}_{precision}"


def encoder_name(name: str, precision: str) -> str:
    """The ONNX model behind an ensemble."""
    return f"{ensemble_name(name, precision)}_encoder"


def tokenizer_name(name: str) -> str:
    """The tokenizer, shared by every precision."""
    return f"{name}_tokenizer"


def tokenizer_model(name: str, source: SentenceTransformer, *, max_batch_size: int) -> Model:
    """The tokenizer on the Python backend: text to input_ids and attention_mask."""
    config = _config(tokenizer_name(name), "python", max_batch_size)
    add_tensors(config.input, [_TEXT])
    add_tensors(config.output, [_IDS, _MASK])
    package = resources.files("tritonkit.export") / "tokenizer"
    files: dict[str, Path | bytes] = {
        file: (package / file).read_bytes() for file in _TOKENIZER_FILES
    }
    files["tokenizer.json"] = source.tokenizer.read_bytes()
    settings = {
        "lower_case": "true" if source.lower_case else "false",
        "max_length": str(source.max_length),
        "pad_id": str(source.pad_id),
        "pad_to_multiple_of": str(_PAD_TO_MULTIPLE_OF),
    }
    digest = _digest([*map(_content, files.values()), repr(settings).encode()])
    _set_parameters(config, {**settings, MODEL_DIGEST: digest, BATCH_INVARIANT: "true"})
    return Model(config, {1: files})


def encoder_model(
    name: str,
    precision: str,
    graph: Path,
    *,
    dimension: int,
    max_batch_size: int,
    batch_invariant: bool,
    threads: int = 0,
) -> Model:
    """The encoder on the onnxruntime backend: input_ids and attention_mask to embedding."""
    config = _config(encoder_name(name, precision), "onnxruntime", max_batch_size)
    add_tensors(config.input, [_IDS, _MASK])
    add_tensors(config.output, [Tensor(OUTPUT, "TYPE_FP32", (dimension,))])
    parameters = {
        MODEL_DIGEST: _digest([graph.read_bytes()]),
        BATCH_INVARIANT: "true" if batch_invariant else "false",
    }
    if threads:
        parameters["intra_op_thread_count"] = str(threads)
    _set_parameters(config, parameters)
    return Model(config, {1: {"model.onnx": graph}})


def ensemble_model(
    name: str, precision: str, tokenizer: Model, encoder: Model, files: Mapping[str, bytes]
) -> Model:
    """
    The ensemble in front: text to embedding.

    Args:
        name: As given to export.
        precision: Of the encoder.
        tokenizer: What `tokenizer_model` made.
        encoder: What `encoder_model` made.
        files: What to keep in its version directory, which Triton wants and does not read.
    """
    config = ensemble_config(
        ensemble_name(name, precision),
        [
            Step(tokenizer.name, {"text": "text"}, {t.name: t.name for t in (_IDS, _MASK)}),
            Step(encoder.name, {t.name: t.name for t in (_IDS, _MASK)}, {OUTPUT: OUTPUT}),
        ],
        inputs=[_TEXT],
        outputs=[Tensor(OUTPUT, "TYPE_FP32", tuple(encoder.config.output[0].dims))],
        max_batch_size=encoder.config.max_batch_size,
    )
    invariant = encoder.config.parameters[BATCH_INVARIANT].string_value
    digest = ensemble_digest(tokenizer.config, encoder.config)
    _set_parameters(config, {MODEL_DIGEST: digest, BATCH_INVARIANT: invariant})
    return Model(config, {1: files})


def ensemble_digest(tokenizer: ModelConfig, encoder: ModelConfig) -> str:
    """The digest of an ensemble of these two."""
    return _digest([model_digest(part).encode() for part in (tokenizer, encoder)])


def model_digest(config: ModelConfig) -> str:
    """The digest that export wrote into *config*; empty where there is none."""
    if MODEL_DIGEST not in config.parameters:
        return ""
    return str(config.parameters[MODEL_DIGEST].string_value)


def _config(name: str, backend: str, max_batch_size: int) -> ModelConfig:
    config = ModelConfig(name=name, backend=backend, max_batch_size=max_batch_size)
    # Without a group the onnxruntime backend starts two instances, each with a thread a core.
    config.instance_group.add(count=1, kind=model_config_pb2.ModelInstanceGroup.KIND_CPU)
    config.dynamic_batching.SetInParent()
    return config


def _set_parameters(config: ModelConfig, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        config.parameters[name].string_value = value


def _digest(parts: list[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def _content(content: Any) -> bytes:
    return content if isinstance(content, bytes) else Path(content).read_bytes()
