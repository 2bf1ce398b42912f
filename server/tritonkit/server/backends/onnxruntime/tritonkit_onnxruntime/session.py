"""How the InferenceSession of a model is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from .accelerators import providers
from .errors import RUNTIME_ERRORS, LoadError, runtime_text
from .parameters import Parameters

__all__ = ["Settings", "open_session", "open_session_for_graph", "read_settings"]

_SHRINKAGE = "memory.enable_memory_arena_shrinkage"
# Threads spin between the operators of a run and stop with it: an idle pool that spins
# takes the core from the server, the other instances and the client.
_ENTRIES: Mapping[str, str | None] = {
    "session.intra_op.allow_spinning": "1",
    "session.inter_op.allow_spinning": "0",
    "session.force_spinning_stop": "1",
    "session.use_device_allocator_for_initializers": None,
}
_LEVELS: Mapping[int, str] = {
    -1: "ORT_ENABLE_BASIC",
    1: "ORT_ENABLE_EXTENDED",
    2: "ORT_DISABLE_ALL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    What a model configuration says about running its graph.

    Args:
        level: Name of onnxruntime's graph optimisation level.
        parallel: Whether branches of the graph run at the same time.
        intra_op_threads: Threads inside an operator, the caller's included.
        inter_op_threads: Threads over operators; used where parallel.
        mem_arena: Whether freed memory is kept; None leaves onnxruntime's default.
        mem_pattern: Whether memory is planned by input shape; None as above.
        entries: Session config entries.
        shrinkage: Arenas to give back after each run, such as "cpu:0"; None for none.
        op_libraries: Shared libraries of custom operators.
        providers: Execution providers, most wanted first.
        warnings: What the user should know.
    """

    level: str
    parallel: bool
    intra_op_threads: int
    inter_op_threads: int
    mem_arena: bool | None
    mem_pattern: bool | None
    entries: Mapping[str, str]
    shrinkage: str | None
    op_libraries: tuple[str, ...]
    providers: tuple[str, ...]
    warnings: tuple[str, ...]

    def run_options(self) -> Any:
        """Fresh RunOptions for a run under these settings."""
        options = ort.RunOptions()
        if self.shrinkage:
            options.add_run_config_entry(_SHRINKAGE, self.shrinkage)
        return options


def read_settings(config: Mapping[str, Any], *, cores: int) -> Settings:
    """
    Read the settings of a model from its configuration.

    Args:
        config: The model configuration, with its instance groups.
        cores: Cores that this process may use. Without `intra_op_thread_count` the
            instances of the model share them: each instance is a process with a
            pool of its own, and onnxruntime's default, a pool of all cores each,
            would have them fight.

    Raises:
        LoadError: If a value is one that NVIDIA's backend refuses.
    """
    parameters = Parameters(config)
    warnings = []
    level = config.get("optimization", {}).get("graph", {}).get("level", 0)
    if level == 2:
        warnings.append("optimization.graph.level 2 switches every graph optimization off")
    mode = parameters.integer("execution_mode")
    if mode not in (0, 1):
        raise LoadError(
            "Invalid configuration value provided. Expected values for "
            f" execution_mode are 0 or 1 but got {mode} ."
        )
    instances = sum(group.get("count", 1) for group in config.get("instance_group", []))
    share = max(1, cores // max(1, instances))
    intra = parameters.integer("intra_op_thread_count")
    if instances * intra > cores:
        warnings.append(
            f"{instances} instances with intra_op_thread_count {intra} "
            f"want {instances * intra} threads on {cores} cores"
        )
    inter = parameters.integer("inter_op_thread_count")
    # Of no effect here, and refused where it is neither true nor false.
    parameters.boolean("share_session_between_instances")
    entries = {name: parameters.text(name) or default for name, default in _ENTRIES.items()}
    arenas = (parameters.text(_SHRINKAGE) or "").split(";")
    if any(arena.startswith("gpu:") for arena in arenas):
        warnings.append(f"{_SHRINKAGE}: there is no GPU arena on the CPU")
    return Settings(
        level=_LEVELS.get(level, "ORT_ENABLE_ALL"),
        parallel=mode == 1,
        intra_op_threads=intra if intra > 0 else share,
        inter_op_threads=inter if inter > 0 else share,
        mem_arena=parameters.boolean("enable_mem_arena"),
        mem_pattern=parameters.boolean("enable_mem_pattern"),
        entries={name: value for name, value in entries.items() if value is not None},
        shrinkage=";".join(a for a in arenas if a and not a.startswith("gpu:")) or None,
        op_libraries=_op_libraries(config),
        providers=tuple(providers(config, ort.get_available_providers())),
        warnings=tuple(warnings),
    )


def open_session(path: Path, settings: Settings) -> Any:
    """
    Open the InferenceSession of a model.

    Raises:
        LoadError: With onnxruntime's reason, if the file is no model that it takes.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, settings.level)
    options.execution_mode = (
        ort.ExecutionMode.ORT_PARALLEL if settings.parallel else ort.ExecutionMode.ORT_SEQUENTIAL
    )
    options.intra_op_num_threads = settings.intra_op_threads
    options.inter_op_num_threads = settings.inter_op_threads
    if settings.mem_arena is not None:
        options.enable_cpu_mem_arena = settings.mem_arena
    if settings.mem_pattern is not None:
        options.enable_mem_pattern = settings.mem_pattern
    for name, value in settings.entries.items():
        options.add_session_config_entry(name, value)
    return _open(path, options, settings.op_libraries, settings.providers)


def open_session_for_graph(path: Path, config: Mapping[str, Any]) -> Any:
    """
    Open a session only to look at its graph: quickly, and without a pool of threads.

    Raises:
        LoadError: As `open_session`.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # The real session logs the same again.
    options.log_severity_level = 4
    return _open(path, options, _op_libraries(config), ("CPUExecutionProvider",))


def _op_libraries(config: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(config.get("model_operations", {}).get("op_library_filename", ()))


def _open(
    path: Path, options: Any, op_libraries: tuple[str, ...], providers: tuple[str, ...]
) -> Any:
    try:
        for library in op_libraries:
            options.register_custom_ops_library(library)
        return ort.InferenceSession(str(path), options, providers=list(providers))
    except RUNTIME_ERRORS as error:
        raise LoadError(runtime_text(error)) from error
