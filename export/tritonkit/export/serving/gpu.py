"""The graph on a GPU: instances, and the accelerators of Triton's onnxruntime backend."""

from __future__ import annotations

from tritonclient.grpc import model_config_pb2

from tritonkit.errors import ConfigError
from tritonkit.export.stages.recipe import PRECISIONS
from tritonkit.repository import ModelConfig

__all__ = ["GPU_PRECISIONS", "check_gpu_precision", "set_gpu"]

GPU_PRECISIONS = ("fp32", "fp16")
"""The precisions that are faster on a GPU than as trained, or the same."""

# One folder for each model and none around them: the provider makes only the last of a path.
_ENGINES = "/tmp/tritonkit-tensorrt-{name}"
"""Where TensorRT keeps its engines on the server. It builds one for a graph of fixed shapes at
the load, and for others at the first request beyond the shapes it knows: with warm-up at the
warm-up requests, before the model is ready."""

_WORKSPACE_BYTES = 2**30


def check_gpu_precision(precision: str) -> None:
    """
    Refuse what was quantised for a CPU.

    Raises:
        ConfigError: If *precision* has no kernels on a GPU that make it worth its loss.
    """
    if precision not in GPU_PRECISIONS:
        refused = ", ".join(p for p in PRECISIONS if p not in GPU_PRECISIONS)
        raise ConfigError(
            f"{precision} is made for a CPU: on a GPU onnxruntime runs {refused} slower than fp32. "
            f"With target 'gpu' choose {' or '.join(GPU_PRECISIONS)}."
        )


def set_gpu(config: ModelConfig, precision: str, *, instances: int) -> None:
    """
    Run the graph of *config* by TensorRT, and by CUDA what TensorRT cannot.

    TensorRT computes in what the graph was judged in: in half precision for an fp16 graph,
    in single for an fp32 one.

    Args:
        config: Of a graph on the onnxruntime backend; it has no instances yet.
        precision: Out of GPU_PRECISIONS.
        instances: Copies on each GPU of the server.

    Raises:
        ConfigError: If *precision* is another.
    """
    check_gpu_precision(precision)
    config.instance_group.add(count=instances, kind=model_config_pb2.ModelInstanceGroup.KIND_GPU)
    accelerators = config.optimization.execution_accelerators.gpu_execution_accelerator
    engines = _ENGINES.format(name=config.name)
    tensorrt = accelerators.add(name="tensorrt")
    tensorrt.parameters["precision_mode"] = precision.upper()
    tensorrt.parameters["max_workspace_size_bytes"] = str(_WORKSPACE_BYTES)
    tensorrt.parameters["trt_engine_cache_enable"] = "true"
    tensorrt.parameters["trt_engine_cache_path"] = engines
    tensorrt.parameters["trt_timing_cache_enable"] = "true"
    tensorrt.parameters["trt_timing_cache_path"] = engines
    cuda = accelerators.add(name="cuda")
    # The exhaustive default tries every algorithm again for each new shape.
    cuda.parameters["cudnn_conv_algo_search"] = "HEURISTIC"
    cuda.parameters["cudnn_conv_use_max_workspace"] = "1"
