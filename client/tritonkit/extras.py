"""Optional packages, imported only where they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

from tritonkit.errors import MissingExtra

__all__ = ["require"]


def require(module: str, *, extra: str) -> ModuleType:
    """
    Import a module that an extra of tritonkit brings.

    Args:
        module: Full name of the module, such as "onnxruntime.quantization".
        extra: The extra that installs it, such as "export".

    Raises:
        MissingExtra: If its top-level package is not installed. An import error
            inside an installed package passes through unchanged.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingExtra(
            f"{package} is not installed; it comes with: pip install 'tritonkit[{extra}]'"
        ) from error
