"""From a model file to a model repository that Triton serves."""

from __future__ import annotations

from tritonkit.export.accuracy.accuracy import Accuracy
from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.card.card import Card, read_card
from tritonkit.export.pipeline import Export, export_model
from tritonkit.export.plan import VARIANTS
from tritonkit.export.samples.read import read_samples
from tritonkit.export.samples.samples import Samples
from tritonkit.export.serving import ServingOptions
from tritonkit.export.sources.detect import read_source
from tritonkit.export.sources.scikit_learn.scikit_learn import ScikitLearn
from tritonkit.export.sources.source import Source
from tritonkit.export.sources.torch.torch_module import TorchModule
from tritonkit.export.sources.trees.lightgbm import LightGBM
from tritonkit.export.sources.trees.xgboost import XGBoost
from tritonkit.export.stages.recipe import PRECISIONS

__all__ = [
    "PRECISIONS",
    "VARIANTS",
    "Accuracy",
    "Budget",
    "Card",
    "Export",
    "LightGBM",
    "Samples",
    "ScikitLearn",
    "ServingOptions",
    "Source",
    "TorchModule",
    "XGBoost",
    "export_model",
    "read_card",
    "read_samples",
    "read_source",
]
