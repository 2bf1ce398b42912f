"""Optional packages, imported only where they are used."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

from tritonkit.errors import MissingExtra

__all__ = ["require"]

# onnxruntime reports its use over the network, from 1.29 on and unless it is told not to
# before it is imported. A toolkit does not speak for its users; who sets "0" has spoken.
_ENVIRONMENT = {"ORT_DISABLE_TELEMETRY": "1"}


def require(module: str, *, extra: str) -> ModuleType:
    """
    Import a module that an extra of tritonkit brings, with its telemetry off.

    Args:
        module: Full name of the module, such as "onnxruntime.quantization".
        extra: The extra that installs it, such as "export".

    Raises:
        MissingExtra: If its top-level package is not installed. An import error
            inside an installed package passes through unchanged.
    """
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingExtra(
            f"{package} is not installed; it comes with: pip install 'tritonkit[{extra}]'"
        ) from error
