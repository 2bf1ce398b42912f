"""The execution accelerators that a model configuration asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .errors import LoadError
from .parameters import Parameters

__all__ = ["check_accelerators", "providers"]

_TENSORRT_KEYS = frozenset(
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
_PRECISIONS = ("FP32", "FP16", "INT8")
_OPENVINO = "OpenVINOExecutionProvider"
_CUDA_CHOICES: Mapping[str, int] = {"cudnn_conv_algo_search": 3, "arena_extend_strategy": 2}


def check_accelerators(config: Mapping[str, Any]) -> Iterator[str]:
    """
    Check what the configuration asks of a GPU.

    On CPU instances NVIDIA's backend does not look at it at all. What would fail
    on a GPU fails here too; what would work there is left out, with a warning.

    Yields:
        A warning for each accelerator that is left out.

    Raises:
        LoadError: If a name, a key or a value is one that NVIDIA's backend refuses.
    """
    for accelerator in _asked(config, "gpu_execution_accelerator"):
        name, options = accelerator.get("name", ""), accelerator.get("parameters", {})
        if name == "tensorrt":
            _check_tensorrt(options)
        elif name != "cuda":
            raise LoadError(f"unknown Execution Accelerator '{name}' is requested")
        yield f"Execution Accelerator '{name}' needs a GPU; the model runs on the CPU"
    parameters = Parameters(config)
    for name, choices in _CUDA_CHOICES.items():
        choice = parameters.integer(name)
        if not 0 <= choice < choices:
            raise LoadError(f"unsupported {name} value '{choice}' is requested")


def providers(config: Mapping[str, Any], available: list[str]) -> list[str]:
    """
    Execution providers of onnxruntime for a configuration, most wanted first.

    Raises:
        LoadError: If the configuration asks for one that is unknown, or that this
            onnxruntime was built without.
    """
    wanted = []
    for accelerator in _asked(config, "cpu_execution_accelerator"):
        name = accelerator.get("name", "")
        if name != "openvino":
            raise LoadError(f"unknown Execution Accelerator '{name}' is requested")
        if _OPENVINO not in available:
            raise LoadError(
                f"unknown Execution Accelerator '{name}' is requested: "
                f"the installed onnxruntime was built without {_OPENVINO}"
            )
        wanted.append(_OPENVINO)
    return [*wanted, "CPUExecutionProvider"]


def _asked(config: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    optimization = config.get("optimization", {})
    asked: list[Mapping[str, Any]] = optimization.get("execution_accelerators", {}).get(kind, [])
    return asked


def _check_tensorrt(options: Mapping[str, str]) -> None:
    for key, value in options.items():
        if key not in _TENSORRT_KEYS:
            raise LoadError(
                f"unknown parameter '{key}' is provided for TensorRT Execution Accelerator"
            )
        if key == "precision_mode" and value not in _PRECISIONS:
            raise LoadError(f"unsupported precision mode '{value}' is requested")
