"""Decoupled models, which answer a request with any number of responses."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["decoupled_without_a_reason"]

_ANSWERS_ONCE = ("onnxruntime", "tensorrt", "pytorch", "tensorflow", "openvino")


@rule(
    "TK082",
    "decoupled-without-a-reason",
    Severity.REQUEST,
    "a decoupled model that answers each request once",
)
def decoupled_without_a_reason(model: Subject) -> Iterator[Found]:
    """
    A decoupled model is asked over a gRPC stream or `generate_stream` only.

    Triton refuses every infer request over HTTP, and every one over gRPC that is no
    stream. That is right for a model that answers with any number of responses. The
    backends of graphs answer each request once, so that decoupled brings them nothing.
    """
    if model.given.model_transaction_policy.decoupled and model.backend in _ANSWERS_ONCE:
        yield Found(
            ("model_transaction_policy", "decoupled"),
            message=f"The model is decoupled, and the backend {model.backend!r} answers each "
            "request once.",
            advice="Leave model_transaction_policy out.",
            triton="HTTP end point doesn't support models with decoupled transaction policy",
            value="true",
        )
