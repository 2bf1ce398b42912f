"""
A model repository: configurations, directories, ensembles, checking and writing them.

Needs protobuf and nothing heavier; it loads no model.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tritonkit.repository.config import CONFIG_NAME, ModelConfig, render_config
from tritonkit.repository.layout import (
    ModelDirectory,
    check_model_name,
    model_directories,
    next_version,
)
from tritonkit.repository.model import Model
from tritonkit.repository.tensor import Tensor, add_tensors, config_inputs, config_outputs
from tritonkit.repository.text.read import parse_config, read_config
from tritonkit.repository.write import check_place, write_models

if TYPE_CHECKING:
    from tritonkit.repository.check.check import check as check_repository
    from tritonkit.repository.check.finding import Finding, Severity
    from tritonkit.repository.check.release import Release
    from tritonkit.repository.check.report.report import Report
    from tritonkit.repository.check.target import Target
    from tritonkit.repository.ensemble.config import ensemble_config
    from tritonkit.repository.ensemble.ensemble import Ensemble
    from tritonkit.repository.ensemble.step import Step
    from tritonkit.repository.graph.graph import Graph, read_graph

__all__ = [
    "CONFIG_NAME",
    "Ensemble",
    "Finding",
    "Graph",
    "Model",
    "ModelConfig",
    "ModelDirectory",
    "Release",
    "Report",
    "Severity",
    "Step",
    "Target",
    "Tensor",
    "add_tensors",
    "check_model_name",
    "check_place",
    "check_repository",
    "config_inputs",
    "config_outputs",
    "ensemble_config",
    "model_directories",
    "next_version",
    "parse_config",
    "read_config",
    "read_graph",
    "render_config",
    "write_models",
]

# What most who read or write a configuration do without is imported once it is asked for. The
# function `check` has another name here, which its package has taken.
_LATER = {
    "Ensemble": ("ensemble.ensemble", "Ensemble"),
    "Finding": ("check.finding", "Finding"),
    "Graph": ("graph.graph", "Graph"),
    "Release": ("check.release", "Release"),
    "Report": ("check.report.report", "Report"),
    "Severity": ("check.finding", "Severity"),
    "Step": ("ensemble.step", "Step"),
    "Target": ("check.target", "Target"),
    "check_repository": ("check.check", "check"),
    "ensemble_config": ("ensemble.config", "ensemble_config"),
    "read_graph": ("graph.graph", "read_graph"),
}


if not TYPE_CHECKING:  # With it no name would be unknown to a type checker.

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, attribute = _LATER[name]
        value = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
