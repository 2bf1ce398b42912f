"""Answers in a file, to hand them from one process to another."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tritonkit.export.sources.source import Answers

__all__ = ["read_answers", "write_answers"]


def write_answers(file: Path, answers: Answers) -> None:
    """Write *answers* into an .npz file, their rows end to end."""
    arrays = {}
    for name, rows in answers.items():
        arrays[f"shapes/{name}"] = np.array([row.shape for row in rows], np.int64)
        flat = np.concatenate([row.reshape(-1) for row in rows])
        # Objects would be pickled.
        arrays[f"values/{name}"] = flat.astype(np.str_) if flat.dtype == np.object_ else flat
    np.savez(file, **arrays)  # type: ignore[arg-type]


def read_answers(file: Path) -> Answers:
    """Read what `write_answers` wrote; strings are object arrays."""
    with np.load(file, allow_pickle=False) as arrays:
        content = {key: arrays[key] for key in arrays.files}
    answers = {}
    for key, shapes in content.items():
        if key.startswith("shapes/"):
            name = key.removeprefix("shapes/")
            values = content[f"values/{name}"]
            if values.dtype.kind == "U":
                values = values.astype(np.object_)
            ends = np.cumsum(shapes.prod(axis=1))
            rows = np.split(values, ends[:-1])
            answers[name] = [row.reshape(shape) for row, shape in zip(rows, shapes, strict=True)]
    return answers
