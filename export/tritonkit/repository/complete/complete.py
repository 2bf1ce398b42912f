"""A configuration as Triton runs with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tritonkit.repository.complete.backend import BackendUnknown, fill_backend
from tritonkit.repository.complete.filled import Filled, Place
from tritonkit.repository.complete.normalise import fill_defaults, fill_instances
from tritonkit.repository.complete.onnxruntime import (
    AutofillFailed,
    autofilled_batch_size,
    fill_from_graph,
)
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.graph.graph import Graph
from tritonkit.repository.layout import ModelDirectory

if TYPE_CHECKING:
    from tritonkit.repository.check.target import Target

__all__ = ["Completed", "complete"]


@dataclass(frozen=True, slots=True)
class Completed:
    """
    What Triton runs with.

    Args:
        config: Given and filled-in values together.
        filled: What was filled in, in the order of the server's work.
        warnings: What the server logs about it, word for word.
        error: Why the server refuses to complete the model, word for word; the
            configuration stands as it came to that point. Empty where it does not.
    """

    config: ModelConfig
    filled: tuple[Filled, ...]
    warnings: tuple[str, ...] = ()
    error: str = ""


def complete(
    given: ModelConfig,
    name: str,
    directory: ModelDirectory | None,
    graph: Graph | None,
    target: Target,
    *,
    decoupled: bool = False,
) -> Completed:
    """
    Complete a configuration as a server does, without one.

    In core's order: the backend's name; core's defaults; what the backend reads from the
    model, then core's defaults again; the instance groups. The onnxruntime backend is
    NVIDIA's, which the embedded server's agrees with, but that the latter also fills
    `runtime: "model.py"`, being written in Python. What other backends complete, among them
    a Python model's own `auto_complete_config`, needs their code and is left as it is given.

    Args:
        given: The configuration as it is written, empty where there is none. It is not
            changed.
        name: The model's name.
        directory: Its directory; None where there is none to look into.
        graph: Its ONNX graph; None where it has none, or it cannot be read.
        target: The server. Unknown GPUs count as none.
        decoupled: Whether a model that an ensemble calls is; it is then so itself.
    """
    config = ModelConfig()
    config.CopyFrom(given)
    filled: list[Filled] = []
    warnings: list[str] = []
    path = directory.path if directory is not None else None
    error = ""
    try:
        filled += _by("core", fill_backend(config, name, path))
        filled += _by("core", fill_defaults(config))
        if config.backend == "onnxruntime" and graph is not None and target.autocomplete:
            found = list(_by("onnxruntime", fill_from_graph(config, graph)))
            filled += found
            if Filled(("max_batch_size",), "onnxruntime") in found:
                warnings.append(autofilled_batch_size(name))
            filled += _by("core", fill_defaults(config))
    except (BackendUnknown, AutofillFailed) as refusal:
        error = str(refusal)
    filled += _by("core", fill_instances(config, target.gpus or 0))
    if config.HasField("ensemble_scheduling"):
        # Core sets it whatever is given.
        config.model_transaction_policy.decoupled = decoupled
        if not given.HasField("model_transaction_policy"):
            filled.append(Filled(("model_transaction_policy",), "core"))
        elif given.model_transaction_policy.decoupled != decoupled:
            filled.append(Filled(("model_transaction_policy", "decoupled"), "core"))
    return Completed(config, tuple(filled), tuple(warnings), error)


def _by(who: str, places: Iterable[Place]) -> Iterator[Filled]:
    return (Filled(place, who) for place in places)
