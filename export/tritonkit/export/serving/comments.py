"""Why export wrote what it wrote: the comments of an exported config.pbtxt."""

from __future__ import annotations

from collections.abc import Mapping

from tritonkit.export.serving.options import ServingOptions
from tritonkit.repository import ModelConfig
from tritonkit.repository.digest import BATCH_INVARIANT, MODEL_DIGEST

__all__ = ["model_comments"]

_HEADER = """\
Written by tritonkit export. What is edited here stays until the model is exported again,
and export refuses to replace an edited file unless it is told --force."""

_FIXED = {
    "version_policy": "Which of the versions in this folder are loaded.",
    "max_batch_size": "Most rows of one run; requests are put together up to it.",
    "dynamic_batching": """\
Requests that wait while the model is busy become one batch. Without a queue delay none
waits for others to come: a lone request is answered at once.""",
    "instance_group": """\
One instance: it batches what comes, and more would share the same cores.""",
    "model_warmup": """\
Answered before the model is called ready, so that the first client does not pay for
memory and threads. A model that cannot answer them does not load.""",
    "ensemble_scheduling": """\
Each step is a model of its own and batches by itself; version -1 is its newest.""",
    f"parameters.{MODEL_DIGEST}": "sha256 of what decides the answers; caches go by it.",
    f"parameters.{BATCH_INVARIANT}": """\
Whether a row's answer is the same in whatever batch it comes, as measured by export.""",
    "parameters.intra_op_thread_count": "Threads of one run; the calling thread is one of them.",
}


def model_comments(config: ModelConfig, options: ServingOptions) -> Mapping[str, str]:
    """The comments above the fields of *config*, by field, as `render_config` takes them."""
    comments = {"name": _HEADER, **_FIXED}
    if not config.max_batch_size:
        comments["max_batch_size"] = "The model has no batch axis: one request a run."
    if config.platform == "ensemble":
        comments["version_policy"] = """\
The newest only: every version of an ensemble calls the newest version of its steps."""
    if config.dynamic_batching.max_queue_delay_microseconds:
        comments["dynamic_batching"] = """\
A request waits up to the queue delay for others to join its batch; alone it waits it out."""
    if config.backend == "onnxruntime":
        comments.update(_graph_comments(config, options))
    return comments


def _graph_comments(config: ModelConfig, options: ServingOptions) -> Mapping[str, str]:
    if options.target == "gpu":
        built = "at the first request"
        if config.model_warmup:
            built = "at the warm-up requests, before the model is ready,"
        return {
            "instance_group": "On every GPU that the server has.",
            "optimization": f"""\
TensorRT runs what it can, CUDA the rest. Its engines are built
{built} and at the first of a larger shape.
That takes minutes, once for each server: they are kept in the cache path on it.""",
        }
    if options.instances == 1:
        used = "every core" if not options.threads else f"{options.threads} of the cores"
        return {
            "instance_group": f"""\
One instance on {used}: it batches what comes. Written because Triton's default on a CPU
is two, each with a thread for every core."""
        }
    threads = {0: "all threads", 1: "1 thread"}.get(options.threads, f"{options.threads} threads")
    return {
        "instance_group": f"""\
{options.instances} instances of {threads} each: together they should
not want more than the server's cores."""
    }
