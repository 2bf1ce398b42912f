"""The models that a source and its finished graph become on Triton."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tritonkit.export.serving.comments import model_comments
from tritonkit.export.serving.configs import (
    GRAPH,
    graph_config,
    part_config,
    set_version_policy,
    variant_ensemble_config,
)
from tritonkit.export.serving.labels import label_files
from tritonkit.export.serving.names import served_names
from tritonkit.export.serving.options import ServingOptions
from tritonkit.export.sources.source import Source
from tritonkit.repository import Model

__all__ = ["served_models"]


def served_models(
    source: Source,
    graph: Path,
    *,
    name: str,
    variant_suffix: str = "",
    precision: str = "fp32",
    options: ServingOptions | None = None,
    batch_invariant: bool,
    version: int = 1,
    keep_versions: bool = False,
) -> tuple[Model, ...]:
    """
    The models of one variant, in the order in which they are to be written.

    With parts they are the part in front, the graph, the part behind and the ensemble
    of them; without, the graph alone. Tensors of the same name are one tensor.

    Args:
        source: What the graph was made of.
        graph: Finished ONNX file; it must be there until the models are written.
        name: What clients call the first variant of the family.
        variant_suffix: What this variant adds to it: "", or such as "_int8".
        precision: What the graph computes in; only a GPU needs to know.
        options: How they are served; the default is `ServingOptions()`.
        batch_invariant: Whether a row's answer does not depend on the rest of its batch.
        version: Of each of the models.
        keep_versions: Whether other versions stay, which stand in the repository.

    Raises:
        ConfigError: If a label is not a line, or *precision* is not one for the target.
        ExportError: If Triton cannot serve an input or output of the graph.
        MissingExtra: If the export extra is not installed.
        RepositoryError: If a name is not one that Triton takes, or the parts do not fit.
    """
    options = options or ServingOptions()
    names = served_names(source, name, variant_suffix)
    before, after = source.before, source.after
    configs = []
    files: list[Mapping[str, Path | bytes]] = []
    if before:
        configs.append(part_config(names.before, before, source, options))
        files.append(before.files)
    network = graph_config(names.graph, source, graph, precision, options, batch_invariant)
    configs.append(network)
    files.append({GRAPH: graph})
    if after:
        configs.append(part_config(names.after, after, source, options))
        files.append(after.files)
    if before or after:
        configs.append(variant_ensemble_config(names.called, configs, before, source.passed_on))
        files.append({})
    for config in configs:
        set_version_policy(config, options)
    return tuple(
        Model(
            config,
            {version: content},
            files=label_files(source.labels) if config is network else {},
            comments=model_comments(config, options),
            keep_versions=keep_versions,
        )
        for config, content in zip(configs, files, strict=True)
    )
