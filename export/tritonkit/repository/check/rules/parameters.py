"""Parameters: strings that a backend reads by name, and ignores under any other."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.parameter import parameter
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["impossible_value", "misspelled_parameter"]

_CORE = (
    "TRITON_BATCH_STRATEGY_PATH",
    "tritonkit.batch_invariant",
    "tritonkit.config_digest",
    "tritonkit.endpoints_differ",
    "tritonkit.export",
    "tritonkit.model_digest",
    "tritonkit.source_digest",
)
_KNOWN = {
    "onnxruntime": (
        "arena_extend_strategy",
        "cudnn_conv_algo_search",
        "do_copy_in_default_stream",
        "enable_mem_arena",
        "enable_mem_pattern",
        "execution_mode",
        "gpu_mem_limit",
        "inter_op_thread_count",
        "intra_op_thread_count",
        "memory.enable_memory_arena_shrinkage",
        "session.force_spinning_stop",
        "session.inter_op.allow_spinning",
        "session.intra_op.allow_spinning",
        "session.use_device_allocator_for_initializers",
        "share_session_between_instances",
    ),
    "openvino": (
        "CPU_EXTENSION_PATH",
        "CPU_THREADS_NUM",
        "ENABLE_BATCH_PADDING",
        "INFERENCE_NUM_THREADS",
        "INFERENCE_PRECISION_HINT",
        "NUM_STREAMS",
        "PERFORMANCE_HINT",
        "RESHAPE_IO_LAYOUTS",
        "SKIP_OV_DYNAMIC_BATCHSIZE",
        "TARGET_DEVICE",
    ),
    "python": ("EXECUTION_ENV_PATH", "FORCE_CPU_ONLY_INPUT_TENSORS"),
    "pytorch": (
        "DISABLE_CUDNN",
        "DISABLE_OPTIMIZED_EXECUTION",
        "ENABLE_CACHE_CLEANING",
        "ENABLE_JIT_EXECUTOR",
        "ENABLE_JIT_PROFILING",
        "ENABLE_NVFUSER",
        "ENABLE_TENSOR_FUSER",
        "ENABLE_WEIGHT_SHARING",
        "INFERENCE_MODE",
        "INTER_OP_THREAD_COUNT",
        "INTRA_OP_THREAD_COUNT",
    ),
    "tensorrt": ("execution_context_allocation_strategy",),
}
"""What each backend reads."""

# Names that onnxruntime itself has for the same, and no longer like the backend's.
_ELSEWHERE = {
    "inter_op_num_threads": "inter_op_thread_count",
    "intra_op_num_threads": "intra_op_thread_count",
}
_FORCE_CPU = "FORCE_CPU_ONLY_INPUT_TENSORS"


@rule(
    "TK061",
    "misspelled-parameter",
    Severity.WARNING,
    "a parameter that nobody reads, close to one that is read",
)
def misspelled_parameter(model: Subject) -> Iterator[Found]:
    """
    A backend looks parameters up by their names, and ignores every other one in silence.

    A model may have parameters of its own. So only a name is told that is close to one
    which its backend, Triton or tritonkit reads: with other letters, in another case, or
    as another backend spells it.
    """
    known = (*_CORE, *_KNOWN.get(model.backend, ()))
    plain = {_plain(name): name for name in known}
    for name in sorted(model.given.parameters):
        if name in known:
            continue
        close = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.8)
        meant = plain[close[0]] if close else _ELSEWHERE.get(_plain(name))
        if meant in known:
            yield Found(
                ("parameters", name),
                message=f"Nobody reads parameter {name!r}; did you mean {meant!r}?",
                advice=f"Write {meant}, or choose a name that is less like it.",
                value=name,
            )


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


@rule(
    "TK168",
    "impossible-parameter-value",
    Severity.ERROR,
    "a parameter of a Python model whose value cannot be read",
)
def impossible_value(model: Subject) -> Iterator[Found]:
    """
    FORCE_CPU_ONLY_INPUT_TENSORS of the Python backend is yes or no, in small letters.

    The backend refuses a model with another value, also with true and false.
    """
    value = parameter(model.given, _FORCE_CPU)
    if model.backend == "python" and value is not None and value not in ("yes", "no"):
        yield Found(
            ("parameters", _FORCE_CPU, "string_value"),
            message=f"Parameter {_FORCE_CPU!r} is {value!r}.",
            advice="Write yes or no.",
            triton=f"Incorrect value for {_FORCE_CPU}: {value}'",
            value=value,
        )
