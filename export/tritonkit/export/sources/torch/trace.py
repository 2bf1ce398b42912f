"""A torch.nn.Module traced to ONNX."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from tritonkit.errors import ConfigError, ExportError
from tritonkit.export.graphs.opset import OPSET
from tritonkit.export.graphs.shapes import BATCH
from tritonkit.export.sources.torch.call import call, evaluating, reason
from tritonkit.extras import require

__all__ = ["trace"]


def trace(
    module: Any,
    inputs: Mapping[str, Any],
    output_names: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
) -> tuple[Any, tuple[str, ...]]:
    """
    Convert *module* to ONNX of opset 17.

    Args:
        module: torch.nn.Module; its mode and buffers are left as they were.
        inputs: Tensors by name, all with the same number of rows.
        output_names: Names of what it answers.
        axes: Axes of any size besides the first, by input or output.

    Returns:
        The onnx.ModelProto, whose first axis is free everywhere; and what torch warned
        of while tracing.

    Raises:
        ConfigError: If an input is not used.
        ExportError: If torch cannot convert it; the message gives torch's reason.
    """
    onnx, torch = require("onnx", extra="export"), require("torch", extra="export")
    name, file = type(module).__name__, io.BytesIO()
    with warnings.catch_warnings(record=True) as caught, evaluating(module):
        warnings.simplefilter("always")
        try:
            torch.onnx.export(
                _positional(torch, module, tuple(inputs)),
                tuple(inputs.values()),
                file,
                input_names=list(inputs),
                output_names=list(output_names),
                dynamic_axes={
                    key: {0: BATCH, **axes.get(key, {})} for key in (*inputs, *output_names)
                },
                opset_version=OPSET,
                dynamo=False,
            )
        except Exception as error:  # torch raises what it likes
            raise ExportError(
                f"{name} cannot be converted to ONNX: {reason(error)} A forward of tensor "
                "operations alone, without branches or loops that depend on values, would work."
            ) from error
    model = onnx.load_from_string(file.getvalue())
    unused = sorted(set(inputs) - {value.name for value in model.graph.input})
    if unused:
        raise ConfigError(
            f"{name} does not use {', '.join(unused)}; leave it out of the example inputs."
        )
    warned = [str(w.message) for w in caught if issubclass(w.category, torch.jit.TracerWarning)]
    return model, tuple(" ".join(message.split()) for message in warned)


def _positional(torch: Any, module: Any, names: tuple[str, ...]) -> Any:
    """*module* as one that takes tensors in order and answers a tuple, as tracing wants it."""

    class Positional(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *tensors: Any) -> tuple[Any, ...]:
            return tuple(call(self.module, dict(zip(names, tensors, strict=True))).values())

    wrapped = Positional()
    wrapped.training = False
    return wrapped
