"""Why a server fills in what it does, in a few words each."""

from __future__ import annotations

from tritonkit.repository.complete.filled import Filled
from tritonkit.repository.config import ModelConfig

__all__ = ["reason"]

_ONNX = "onnxruntime"


def reason(filled: Filled, config: ModelConfig) -> str:
    """
    Why *filled* is what it is; "" where the value speaks for itself.

    Args:
        filled: One value.
        config: The completed configuration that it stands in.
    """
    match filled.place:
        case ("name",):
            return "the directory's name"
        case ("backend",):
            return "from the platform, or the files of the model"
        case ("default_model_filename",):
            return "the backend's own name for it"
        case ("version_policy",):
            return "the newest version"
        case ("max_batch_size",):
            return "the graph can batch, and this is the server's default-max-batch-size"
        case ("dynamic_batching",):
            return "the model batches, and has no scheduler of its own"
        case ("dynamic_batching", "preferred_batch_size") | (
            "sequence_batching",
            "oldest",
            "preferred_batch_size",
        ):
            return "max_batch_size"
        case ("input" | "output", int()):
            return "from the graph"
        case ("instance_group", int(position)):
            two = config.instance_group[position].count == 2
            return f"two are the default on CPU of {_ONNX}" if two else "every model has one"
        case ("instance_group", int(position), "kind"):
            group = config.instance_group[position]
            return "there is a GPU" if group.kind == group.KIND_GPU else "without a GPU"
        case ("instance_group", int(), "count"):
            return f"the default on CPU of {_ONNX}" if config.backend == _ONNX else ""
        case ("instance_group", int(), "gpus"):
            return "every GPU"
        case ("model_transaction_policy",) | ("model_transaction_policy", "decoupled"):
            return "as the models that it calls"
    return ""
