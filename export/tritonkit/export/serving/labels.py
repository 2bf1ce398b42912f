"""Names of the classes, as Triton's classification extension answers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tritonkit.errors import ConfigError
from tritonkit.repository import ModelConfig

__all__ = ["LABELS", "label_files", "set_labels"]

LABELS = "labels.txt"
"""Names of the classes, a line each, in the graph's model directory."""


def set_labels(config: ModelConfig, labels: Sequence[str]) -> None:
    """Name the classes of each output of *config* that has as many values as *labels*."""
    for output in config.output:
        # Triton's classification extension names the classes of a whole row.
        if labels and tuple(output.dims) in ((len(labels),), (1, len(labels))):
            output.label_filename = LABELS


def label_files(labels: Sequence[str]) -> Mapping[str, bytes]:
    """
    The file of *labels* by its name; none where there are none.

    Raises:
        ConfigError: If a label is not a line.
    """
    for label in labels:
        if "\n" in label or "\r" in label:
            raise ConfigError(f"a label must be one line of {LABELS}, but got {label!r}.")
    return {LABELS: "".join(f"{label}\n" for label in labels).encode()} if labels else {}
