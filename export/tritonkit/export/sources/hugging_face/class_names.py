"""The names of a transformers model's classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.export.json_file import value_of

__all__ = ["class_names"]


def class_names(config: Mapping[str, Any], file: Path) -> tuple[str, ...]:
    """
    Names of the classes; where there are none, those that transformers gives them.

    Args:
        config: Content of *file*, a config.json.
        file: Stands in errors.

    Raises:
        ConfigError: If names are given, but not for each number from 0 on.
    """
    names = value_of(config, "id2label", dict, file=file)
    if names is None:
        count = value_of(config, "num_labels", int, file=file)
        return tuple(f"LABEL_{n}" for n in range(2 if count is None else count))
    wanted = [str(n) for n in range(len(names))]
    if not names or sorted(names) != sorted(wanted):
        raise ConfigError(
            f"{file}: id2label must name classes from 0 on without a gap, but has {list(names)}."
        )
    return tuple(str(names[key]) for key in wanted)
