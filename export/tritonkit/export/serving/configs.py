"""The configuration of each model that a source and its graph become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tritonclient.grpc import model_config_pb2

from tritonkit.export.graphs.shapes import graph_tensors
from tritonkit.export.serving.gpu import set_gpu
from tritonkit.export.serving.labels import set_labels
from tritonkit.export.serving.options import ServingOptions
from tritonkit.export.serving.warmup import add_warmup
from tritonkit.export.sources.source import Part, Source
from tritonkit.extras import require
from tritonkit.repository import Ensemble, ModelConfig, add_tensors
from tritonkit.repository.digest import (
    BATCH_INVARIANT,
    MODEL_DIGEST,
    ensemble_digest,
    files_digest,
)

__all__ = ["GRAPH", "graph_config", "part_config", "set_version_policy", "variant_ensemble_config"]

GRAPH = "model.onnx"
"""The file that the onnxruntime backend looks for in a version's directory."""


def part_config(name: str, part: Part, source: Source, options: ServingOptions) -> ModelConfig:
    """The configuration of a Python model in front of the graph or behind it."""
    config = _config(name, "python", source, options)
    add_tensors(config.input, part.inputs)
    add_tensors(config.output, part.outputs)
    config.instance_group.add(count=1, kind=model_config_pb2.ModelInstanceGroup.KIND_CPU)
    digest = files_digest(part.files, part.parameters)
    _set_parameters(config, {**part.parameters, MODEL_DIGEST: digest, BATCH_INVARIANT: "true"})
    return config


def graph_config(
    name: str,
    source: Source,
    graph: Path,
    precision: str,
    options: ServingOptions,
    batch_invariant: bool,
) -> ModelConfig:
    """
    The configuration of the graph, on the onnxruntime backend.

    Raises:
        ConfigError: If *precision* is not one for the target.
        ExportError: If Triton cannot serve an input or output of the graph.
        MissingExtra: If the export extra is not installed.
    """
    onnx = require("onnx", extra="export")
    inputs, outputs = graph_tensors(
        onnx.load(graph, load_external_data=False), batched=source.batched
    )
    config = _config(name, "onnxruntime", source, options)
    add_tensors(config.input, inputs)
    add_tensors(config.output, outputs)
    set_labels(config, source.labels)
    parameters = {
        MODEL_DIGEST: files_digest({GRAPH: graph}, {}),
        BATCH_INVARIANT: str(batch_invariant).lower(),
    }
    if options.target == "gpu":
        set_gpu(config, precision, instances=options.instances)
    else:
        # Without a group the onnxruntime backend starts two instances, each with a thread a core.
        config.instance_group.add(
            count=options.instances, kind=model_config_pb2.ModelInstanceGroup.KIND_CPU
        )
        if options.threads:
            parameters["intra_op_thread_count"] = str(options.threads)
    _set_parameters(config, parameters)
    if options.warmup:
        add_warmup(config, inputs, source.needed_input_sizes)
    return config


def variant_ensemble_config(
    name: str, parts: Sequence[ModelConfig], before: Part | None, passed_on: Sequence[str]
) -> ModelConfig:
    """
    The configuration that calls *parts* one after the other.

    Args:
        name: What clients call.
        parts: Those in front, the graph and those behind; tensors of one name are one tensor.
        before: The part in front, if there is one.
        passed_on: Outputs of the part in front that clients receive too.

    Raises:
        RepositoryError: If the parts do not fit.
    """
    ensemble = Ensemble(name).input(*(tensor.name for tensor in parts[0].input))
    for part in parts:
        ensemble.step(part)
    ensemble.output(*(tensor.name for tensor in parts[-1].output))
    if before:
        ensemble.output(*(t.name for t in before.outputs if t.name in passed_on))
    config = ensemble.config(max_batch_size=parts[0].max_batch_size)
    invariant = all(part.parameters[BATCH_INVARIANT].string_value == "true" for part in parts)
    _set_parameters(
        config,
        {MODEL_DIGEST: ensemble_digest(parts), BATCH_INVARIANT: str(invariant).lower()},
    )
    return config


def _config(name: str, backend: str, source: Source, options: ServingOptions) -> ModelConfig:
    config = ModelConfig(name=name, backend=backend)
    config.max_batch_size = options.max_batch_size if source.batched else 0
    # A batch of one row has nothing to wait for.
    if config.max_batch_size > 1:
        config.dynamic_batching.SetInParent()
        # The graph alone: an ensemble's request would wait once for each part.
        if options.max_queue_delay and backend == "onnxruntime":
            delay = round(options.max_queue_delay * 1e6)
            config.dynamic_batching.max_queue_delay_microseconds = delay
    return config


def set_version_policy(config: ModelConfig, options: ServingOptions) -> None:
    """Say which of the versions Triton loads."""
    if config.platform == "ensemble":
        # Its older versions would be the same as the newest: all call the newest parts.
        config.version_policy.latest.num_versions = 1
    elif options.version_policy == "all":
        config.version_policy.all.SetInParent()
    else:
        config.version_policy.latest.num_versions = options.newest_versions


def _set_parameters(config: ModelConfig, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        config.parameters[name].string_value = value
