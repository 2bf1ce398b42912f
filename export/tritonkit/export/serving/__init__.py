"""From a finished graph to the models that Triton loads."""

from __future__ import annotations

from tritonkit.export.serving.gpu import GPU_PRECISIONS, check_gpu_precision
from tritonkit.export.serving.labels import LABELS
from tritonkit.export.serving.models import served_models
from tritonkit.export.serving.names import ServedNames, served_names, variant_suffixes
from tritonkit.export.serving.options import ServingOptions, Target, fitted, overcommitment
from tritonkit.repository.digest import (
    BATCH_INVARIANT,
    MODEL_DIGEST,
    ensemble_digest,
    model_digest,
)

__all__ = [
    "BATCH_INVARIANT",
    "GPU_PRECISIONS",
    "LABELS",
    "MODEL_DIGEST",
    "ServedNames",
    "ServingOptions",
    "Target",
    "check_gpu_precision",
    "ensemble_digest",
    "fitted",
    "model_digest",
    "overcommitment",
    "served_models",
    "served_names",
    "variant_suffixes",
]
