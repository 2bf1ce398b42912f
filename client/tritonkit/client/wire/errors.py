"""What a server's refusal means: the only place where it is decided."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.errors import (
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    ModelUnavailable,
    ProtocolError,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)

__all__ = ["refusal"]

# Triton gives one status to several things, so its texts decide first.
# Source: the answers of tritonserver 2.51, and core's infer_request.cc,
# dynamic_batch_scheduler.cc and model_repository_manager.cc.
_TEXTS: Sequence[tuple[tuple[int, ...], tuple[str, ...], type[RequestError]]] = (
    (
        (400, 404, 503),
        ("unknown model", "no available versions", "not ready", "is not available"),
        ModelUnavailable,
    ),
    # "Server is stopping, scheduler for model has stopped accepting new
    # inference requests": said of one model that is being unloaded, too.
    ((503,), ("stopped accepting", "is stopping"), ModelUnavailable),
    ((503,), ("queue size",), ServerOverloaded),
    ((503,), ("timeout expired",), DeadlineExceeded),
    # Triton takes a request it cannot read for a failure of its own.
    ((500,), ("Unable to parse", "failed to parse the request JSON"), InvalidInput),
    ((404,), ("Not Found",), ProtocolError),
)
_STATUSES: dict[int, type[RequestError]] = {
    400: InvalidInput,
    401: InvalidInput,
    403: InvalidInput,
    # A backend's own "not found": the model is there, as the texts would tell.
    404: InferenceFailed,
    408: DeadlineExceeded,
    413: InvalidInput,
    429: ServerOverloaded,
    499: InferenceFailed,
    500: InferenceFailed,
    501: InvalidInput,
    502: ServerUnavailable,
    # Of a proxy in front, or of a backend that has no room for another reason.
    503: ServerUnavailable,
    504: DeadlineExceeded,
}
_ANONYMOUS = "[request id: <id_unknown>] "


def refusal(
    status: int,
    message: str,
    *,
    model: str = "",
    said: bytes | str | None = None,
    content_type: str = "application/json",
) -> RequestError:
    """
    The error that a server's answer means.

    Args:
        status: HTTP status; a gRPC code counts as the status that Triton's
            HTTP front end gives to it.
        message: What the server said.
        model: The model that was asked.
        said: The whole answer, for whoever hands it on; *message* by default.
        content_type: Of the answer.
    """
    said = message if said is None else said
    message = message.removeprefix(_ANONYMOUS).strip()
    kind = next(
        (
            kind
            for statuses, texts, kind in _TEXTS
            if status in statuses and any(text in message for text in texts)
        ),
        _STATUSES.get(status, ProtocolError),
    )
    if kind is ProtocolError:
        message = f"status {status} is no answer to this request: {message}"
    elif status in (401, 403):
        message = f"the server refused the credentials: {message}"
    elif model and repr(model) not in message:
        message = f"model {model!r}: {message}"
    return kind(message, model=model, status=status, said=said, content_type=content_type)
