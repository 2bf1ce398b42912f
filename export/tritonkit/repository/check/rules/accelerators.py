"""Execution accelerators of the onnxruntime backend."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.release import Release
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "accelerator_parameter",
    "calibration_of_quantised",
    "graph_level",
    "quantised_on_gpu",
    "unknown_accelerator",
]

_GPU, _CPU = "gpu_execution_accelerator", "cpu_execution_accelerator"
_KNOWN = {_GPU: ("tensorrt", "cuda"), _CPU: ("openvino",)}
_PRECISIONS = ("FP32", "FP16", "INT8")
# Of onnxruntime 1.23, which came out in September 2025.
_BF16_SINCE = Release(25, 9)
_TENSORRT = frozenset(
    {
        "int8_calibration_table_name",
        "int8_use_native_calibration_table",
        "max_workspace_size_bytes",
        "precision_mode",
        "trt_auxiliary_streams",
        "trt_build_heuristics_enable",
        "trt_builder_optimization_level",
        "trt_context_memory_sharing_enable",
        "trt_cuda_graph_enable",
        "trt_detailed_build_log",
        "trt_dla_core",
        "trt_dla_enable",
        "trt_dump_ep_context_model",
        "trt_dump_subgraphs",
        "trt_engine_cache_enable",
        "trt_engine_cache_path",
        "trt_engine_cache_prefix",
        "trt_ep_context_embed_mode",
        "trt_ep_context_file_path",
        "trt_extra_plugin_lib_paths",
        "trt_force_sequential_engine_build",
        "trt_force_timing_cache",
        "trt_layer_norm_fp32_fallback",
        "trt_max_partition_iterations",
        "trt_min_subgraph_size",
        "trt_profile_max_shapes",
        "trt_profile_min_shapes",
        "trt_profile_opt_shapes",
        "trt_sparsity_enable",
        "trt_tactic_sources",
        "trt_timing_cache_enable",
        "trt_timing_cache_path",
    }
)

_ELSEWHERE = {
    "max_workspace_size": "max_workspace_size_bytes",
    "minimum_segment_size": "trt_min_subgraph_size",
    "trt_fp16_enable": "precision_mode with the value FP16",
    "trt_int8_enable": "precision_mode with the value INT8",
    "trt_int8_calibration_table_name": "int8_calibration_table_name",
    "trt_int8_use_native_calibration_table": "int8_use_native_calibration_table",
    "trt_max_workspace_size": "max_workspace_size_bytes",
}
"""What onnxruntime itself, or TensorFlow's backend, calls otherwise."""


@rule("TK053", "unknown-accelerator", Severity.ERROR, "An accelerator that is not known")
def unknown_accelerator(model: Subject) -> Iterator[Found]:
    """
    The onnxruntime backend has the accelerators tensorrt and cuda on a GPU, openvino on a CPU.

    Names are written as here. auto_mixed_precision and gpu_io are TensorFlow's.
    """
    for kind, known in _KNOWN.items():
        for index, accelerator in _asked(model, kind):
            if accelerator.name not in known:
                yield Found(
                    (*_PATH, kind, index, "name") if accelerator.name else (*_PATH, kind, index),
                    message=f"{kind} {index} is '{accelerator.name}'.",
                    advice=f"Write {' or '.join(known)}, or leave it out.",
                    triton=f"unknown Execution Accelerator '{accelerator.name}' is requested",
                    value=accelerator.name,
                )


@rule("TK054", "accelerator-parameter", Severity.ERROR, "A parameter that TensorRT does not take")
def accelerator_parameter(model: Subject) -> Iterator[Found]:
    """
    The onnxruntime backend knows the parameters of the accelerator tensorrt by name.

    Most are the options of onnxruntime's TensorRT provider, with trt_ before them; the precision
    is precision_mode: FP32, FP16 or INT8, in capitals. BF16 came with onnxruntime 1.23.
    """
    bf16 = model.target.release >= _BF16_SINCE
    precisions = (*_PRECISIONS, "BF16") if bf16 else _PRECISIONS
    for index, accelerator in _asked(model, _GPU):
        if accelerator.name != "tensorrt":
            continue
        for key, value in sorted(accelerator.parameters.items()):
            path = (*_PATH, _GPU, index, "parameters", key)
            if key not in _TENSORRT:
                yield Found(
                    path,
                    message=f"The accelerator tensorrt has no parameter '{key}'.",
                    advice=_instead_of(key),
                    triton=f"unknown parameter '{key}' is provided for TensorRT Execution "
                    "Accelerator",
                    value=key,
                )
            elif key == "precision_mode" and value not in precisions:
                yield Found(
                    path,
                    message=f"The precision_mode of tensorrt is '{value}'.",
                    advice=f"Write {value.upper()}."
                    if value.upper() in precisions
                    else f"Write {', '.join(precisions[:-1])} or {precisions[-1]}.",
                    triton=f"unsupported precision mode '{value}' is requested",
                    value=value,
                )


@rule(
    "TK056",
    "calibration-of-quantised",
    Severity.ERROR,
    "A calibration table for a graph that is quantised",
)
def calibration_of_quantised(model: Subject) -> Iterator[Found]:
    """
    A graph with QuantizeLinear and DequantizeLinear holds its own scales.

    TensorRT takes these, or a calibration table for a graph in floats, and not both: the
    session is refused. Leave the table out for such a graph.
    """
    if model.graph is None or not model.graph.quantised:
        return
    for index, accelerator in _asked(model, _GPU):
        table = accelerator.parameters.get("int8_calibration_table_name", "")
        if accelerator.name == "tensorrt" and table:
            yield Found(
                (*_PATH, _GPU, index, "parameters", "int8_calibration_table_name"),
                message=f"The calibration table '{table}' is given for a graph that has "
                "QuantizeLinear or DequantizeLinear.",
                advice="Leave int8_calibration_table_name out.",
                value=table,
            )


@rule("TK057", "graph-level", Severity.WARNING, "graph.level that switches optimisation off")
def graph_level(model: Subject) -> Iterator[Found]:
    """
    optimization.graph.level is no scale on which more is better.

    The onnxruntime backend optimises most without it. -1 is basic optimisation, 1 is extended,
    and 2 is none at all; it takes other numbers for no number.
    """
    if model.backend != "onnxruntime":
        return
    level = model.config.optimization.graph.level
    if level not in (-1, 0, 1):
        off = level == 2
        yield Found(
            ("optimization", "graph", "level"),
            message=f"optimization.graph.level is {level}, which "
            f"{'switches all optimisation off' if off else 'has no meaning'}.",
            advice="Leave it out: all optimisations are on then.",
            value=str(level),
        )


@rule("TK060", "quantised-on-gpu", Severity.WARNING, "A quantised graph on a GPU without TensorRT")
def quantised_on_gpu(model: Subject) -> Iterator[Found]:
    """
    Onnxruntime's CUDA provider has few kernels for 8-bit integers.

    It converts to floats and back around most of a quantised graph, or runs those parts on the
    CPU, so that the graph is slower than the one it was made of. TensorRT has such kernels:
    ask for the accelerator tensorrt with precision_mode INT8. Without, serve fp16.
    """
    if model.graph is None or not model.graph.quantised:
        return
    if any(accelerator.name == "tensorrt" for _, accelerator in _asked(model, _GPU)):
        return
    path = _on_gpu(model)
    if path is not None:
        yield Found(
            path,
            message="The graph is quantised, and runs on a GPU with the CUDA provider.",
            advice="Serve an fp16 graph on the GPU, ask for the accelerator tensorrt with "
            "precision_mode INT8, or write kind: KIND_CPU.",
            value="KIND_GPU",
        )


def _on_gpu(model: Subject) -> tuple[str | int, ...] | None:
    """Where it is said that instances run on a GPU; KIND_AUTO takes one where there is one."""
    groups = model.given.instance_group
    for index, group in enumerate(groups):
        if group.kind == group.KIND_GPU:
            return ("instance_group", index, "kind")
        if group.kind == group.KIND_AUTO and model.target.gpus:
            return ("instance_group", index)
    return ("instance_group",) if model.target.gpus and not groups else None


def _instead_of(key: str) -> str:
    if key in _ELSEWHERE:
        return f"Write {_ELSEWHERE[key]}."
    close = get_close_matches(key, _TENSORRT, n=1, cutoff=0.85)
    return f"Write {close[0]}." if close else "Leave it out."


_PATH = ("optimization", "execution_accelerators")


def _asked(model: Subject, kind: str) -> Iterator[tuple[int, Any]]:
    if model.backend == "onnxruntime":
        accelerators = model.config.optimization.execution_accelerators
        yield from enumerate(getattr(accelerators, kind))
