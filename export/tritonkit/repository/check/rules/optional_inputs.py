"""Inputs that a request may leave out."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.backend import NO_OPTIONAL
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["optional_not_supported", "optional_with_batching"]


@rule(
    "TK030", "optional-not-supported", Severity.ERROR, "An optional input for a backend without any"
)
def optional_not_supported(model: Subject) -> Iterator[Found]:
    """
    An input that is optional may be missing from a request.

    The backend must know what to do then. Those of PyTorch, OpenVINO and TensorFlow do not,
    and refuse such a model.
    """
    if model.backend not in NO_OPTIONAL:
        return
    for entry in model.entries:
        if entry.optional:
            yield Found(
                (*entry.path, "optional"),
                message=f"{entry.label} is optional, which the {model.backend} "
                "backend does not know.",
                advice="Leave optional out, and let clients send the input every time.",
                triton=f"'optional' is set to true for input '{entry.name}' while the backend "
                "model doesn't support optional input",
                tensor=entry.name,
                value="true",
            )


@rule(
    "TK031",
    "optional-with-batching",
    Severity.ERROR,
    "An optional input of a model that batches",
)
def optional_with_batching(model: Subject) -> Iterator[Found]:
    """
    The onnxruntime backend joins the inputs of several requests into one.

    Where a request may lack one, nothing can be joined, so it takes optional inputs only in
    models whose max_batch_size is 0.
    """
    if model.backend != "onnxruntime" or not model.config.max_batch_size:
        return
    for entry in model.entries:
        if entry.optional:
            yield Found(
                (*entry.path, "optional"),
                message=f"{entry.label} is optional, and max_batch_size is "
                f"{model.config.max_batch_size}.",
                advice="Leave optional out, or write max_batch_size: 0 and the batch axis in dims.",
                triton=f"unable to load model '{model.name}', optional input '{entry.name}' is "
                "not supported for models that support batching",
                tensor=entry.name,
                value="true",
            )
