"""Inputs that a request may leave out."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.backend import NO_OPTIONAL
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["optional_not_supported"]


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
        if entry.side == "input" and entry.io.optional:
            yield Found(
                (*entry.path, "optional"),
                message=f"{entry.label.capitalize()} is optional, which the {model.backend} "
                "backend does not know.",
                advice="Leave optional out, and let clients send the input every time.",
                triton=f"'optional' is set to true for input '{entry.name}' while the backend "
                "model doesn't support optional input",
                tensor=entry.name,
                value="true",
            )
