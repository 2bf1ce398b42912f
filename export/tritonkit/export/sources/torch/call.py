"""Calling a torch.nn.Module with named tensors, as it will be when it serves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.extras import require

__all__ = ["answer_batch", "call", "evaluating", "reason"]


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Hold *module* and all modules in it in evaluation mode; then restore modes and buffers."""
    torch = require("torch", extra="export")
    modes = [(part, part.training) for part in module.modules()]
    held = [(part, dict(part._buffers)) for part, _ in modes]
    contents = [(b, b.clone()) for _, buffers in held for b in buffers.values() if b is not None]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
        # A forward may write into a buffer, or put another one in its place.
        for part, buffers in held:
            part._buffers.clear()
            part._buffers.update(buffers)
        with torch.inference_mode():
            for buffer, content in contents:
                buffer.copy_(content)


def call(module: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """
    What *module* answers, by key where it answers a mapping, else output or output_0, ...

    Inputs go by name where forward has parameters of all these names, else in their order.
    """
    parameters = inspect.signature(module.forward).parameters
    if all(name in parameters for name in inputs):
        answer = module(**inputs)
    else:
        answer = module(*inputs.values())
    if isinstance(answer, Mapping):
        return {str(key): value for key, value in answer.items()}
    if isinstance(answer, (tuple, list)):
        return {f"output_{number}": value for number, value in enumerate(answer)}
    return {"output": answer}


def answer_batch(module: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """
    The answer of *module*, in evaluation mode, to one batch.

    Args:
        module: torch.nn.Module; its mode and buffers are left as they were.
        inputs: Tensors by name, all with the same number of rows.

    Raises:
        ConfigError: If it fails, or answers something else than tensors whose first axis
            is the batch; the message gives torch's reason.
    """
    torch = require("torch", extra="export")
    name, rows = type(module).__name__, len(next(iter(inputs.values())))
    try:
        with torch.inference_mode(), evaluating(module):
            # A module may write into what it is given.
            outputs = call(module, {key: tensor.clone() for key, tensor in inputs.items()})
    except Exception as error:  # a module raises what it likes
        raise ConfigError(f"{name} cannot answer a batch of {rows}: {reason(error)}") from error
    for key, value in outputs.items():
        if not isinstance(value, torch.Tensor):
            raise ConfigError(
                f"{name} answers {key!r} with a {type(value).__name__}; a tensor, or a tuple or "
                "dict of tensors would work."
            )
        if value.ndim == 0 or len(value) != rows:
            raise ConfigError(
                f"{name} answers a batch of {rows} with {key!r} of shape {list(value.shape)}, but "
                "the first axis must be the batch; look for a constant size in a view or reshape."
            )
    return outputs


def reason(error: Exception) -> str:
    """The first lines of an error of torch, whose messages go on for pages."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[:2]).rstrip(".") or type(error).__name__
    return f"{text}." if len(text) <= 300 else f"{text[:297]}..."
