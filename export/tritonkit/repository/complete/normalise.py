"""The defaults that Triton's core writes into every configuration."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.complete.filled import Place
from tritonkit.repository.config import ModelConfig

__all__ = ["fill_defaults", "fill_instances"]

_SEQUENCE_IDLE_US = 1_000_000
_DEFAULT_CPU_COUNT = {"onnxruntime": 2, "tensorflow": 2}
"""Instances on CPU, where a configuration gives no count; 1 for every other backend."""

_CPU_BACKENDS = frozenset({"openvino"})
"""Backends that ask for CPU also where there are GPUs."""


def fill_defaults(config: ModelConfig) -> Iterator[Place]:
    """
    Fill what does not depend on the machine; a second time it fills what has come since.

    Core does it once to what is given, and once more after the backend's own completion.

    Args:
        config: It is changed.

    Yields:
        The place of each field that was filled.
    """
    if not config.HasField("version_policy"):
        config.version_policy.latest.num_versions = 1
        yield ("version_policy",)
    if config.HasField("dynamic_batching"):
        sizes = config.dynamic_batching.preferred_batch_size
        if not sizes and config.max_batch_size > 0:
            sizes.append(config.max_batch_size)
            yield ("dynamic_batching", "preferred_batch_size")
    if config.HasField("sequence_batching"):
        batching = config.sequence_batching
        if not batching.max_sequence_idle_microseconds:
            batching.max_sequence_idle_microseconds = _SEQUENCE_IDLE_US
            yield ("sequence_batching", "max_sequence_idle_microseconds")
        if batching.HasField("oldest") and config.max_batch_size > 0:
            sizes = batching.oldest.preferred_batch_size
            if not sizes:
                sizes.append(config.max_batch_size)
                yield ("sequence_batching", "oldest", "preferred_batch_size")
    if not config.HasField("ensemble_scheduling"):
        for memory in ("input_pinned_memory", "output_pinned_memory"):
            if not config.optimization.HasField(memory):
                getattr(config.optimization, memory).enable = True
                yield ("optimization", memory)


def fill_instances(config: ModelConfig, gpus: int) -> Iterator[Place]:
    """
    Fill the instance groups: name, kind, count, GPUs.

    Args:
        config: It is changed.
        gpus: How many the server sees.

    Yields:
        The place of each field that was filled.
    """
    if config.HasField("ensemble_scheduling"):
        return
    named = bool(config.instance_group)
    if not named:
        group = config.instance_group.add(name=config.name)
        if config.backend in _CPU_BACKENDS:
            group.kind = group.KIND_CPU
        yield ("instance_group", 0)
    for position, group in enumerate(config.instance_group):
        filled = []
        if not group.name:
            group.name = f"{config.name}_{position}"
            filled.append("name")
        if group.kind == group.KIND_AUTO:
            fits = gpus > 0 and all(0 <= gpu < gpus for gpu in group.gpus)
            group.kind = group.KIND_GPU if fits else group.KIND_CPU
            filled.append("kind")
        if group.count < 1:
            on_cpu = group.kind == group.KIND_CPU
            group.count = _DEFAULT_CPU_COUNT.get(config.backend, 1) if on_cpu else 1
            filled.append("count")
        if group.kind == group.KIND_GPU and not group.gpus and gpus:
            group.gpus.extend(range(gpus))
            filled.append("gpus")
        if named:
            yield from (("instance_group", position, field) for field in filled)
