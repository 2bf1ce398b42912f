"""Fields that came to ModelConfig after the first releases that are in use."""

from __future__ import annotations

from typing import TypeAlias

from google.protobuf.descriptor import FieldDescriptor

__all__ = ["ReleaseNumber", "first_release", "is_known"]

ReleaseNumber: TypeAlias = tuple[int, int]
"""Year and month of a release, as its container is tagged: (24, 10)."""

_FIRST: dict[str, ReleaseNumber] = {
    "inference.ModelConfig.model_metrics": (24, 11),
    "inference.ModelEnsembling.max_inflight_requests": (25, 11),
}


def first_release(field: FieldDescriptor) -> ReleaseNumber | None:
    """The first release that reads a field; None where all that are in use do."""
    return _FIRST.get(field.full_name)


def is_known(field: FieldDescriptor, release: ReleaseNumber | None) -> bool:
    """Whether servers of *release* read a field; those of no release read all."""
    first = first_release(field)
    return release is None or first is None or first <= release
