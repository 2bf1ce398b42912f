"""
A model repository: configurations, directories, ensembles, and writing them.

Needs protobuf and nothing heavier; it opens no model file.
"""

from __future__ import annotations

from tritonkit.repository.config import (
    CONFIG_NAME,
    ModelConfig,
    parse_config,
    read_config,
    render_config,
)
from tritonkit.repository.ensemble.config import ensemble_config
from tritonkit.repository.ensemble.ensemble import Ensemble
from tritonkit.repository.ensemble.step import Step
from tritonkit.repository.layout import (
    ModelDirectory,
    check_model_name,
    model_directories,
    next_version,
)
from tritonkit.repository.model import Model
from tritonkit.repository.tensor import Tensor, add_tensors, config_inputs, config_outputs
from tritonkit.repository.write import check_place, write_models

__all__ = [
    "CONFIG_NAME",
    "Ensemble",
    "Model",
    "ModelConfig",
    "ModelDirectory",
    "Step",
    "Tensor",
    "add_tensors",
    "check_model_name",
    "check_place",
    "config_inputs",
    "config_outputs",
    "ensemble_config",
    "model_directories",
    "next_version",
    "parse_config",
    "read_config",
    "render_config",
    "write_models",
]
