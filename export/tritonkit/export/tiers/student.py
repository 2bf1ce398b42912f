"""The student tier: some of the teacher's layers, distilled on its embeddings."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from tritonkit.errors import ConfigError
from tritonkit.export.child import require_installed, run_child
from tritonkit.export.json_file import read_json, value_of
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.stages.dynamic import quantise_dynamic
from tritonkit.export.stages.rewrite import rewrite
from tritonkit.export.tiers.distillation import LAYERS, Distillation
from tritonkit.export.tiers.examples import Examples

__all__ = ["Student", "kept_layers", "make_student"]

_COPIED = ("*.json", "*.txt", "*.model")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """
    How a student came about.

    Args:
        layers: Positions of the teacher's layers that it was made of, from 0.
        of: Layers of the teacher.
        epochs: For how many epochs it was trained; the last may be a part of one.
    """

    layers: tuple[int, ...]
    of: int
    epochs: int


def kept_layers(source: SentenceTransformer) -> tuple[tuple[int, ...], int]:
    """
    Half of a teacher's layers, evenly spaced from the first to the last.

    The last one makes the embedding space: measured on a model of 6 layers without
    training, its first three find the right document for 14 queries of 100, and
    0, 2 and 5 for 51.

    Returns:
        Their positions from 0, and how many layers the teacher has.

    Raises:
        ConfigError: If it has fewer than two, or they cannot be told apart.
    """
    file = source.transformer / "config.json"
    config = read_json(file, dict)
    architecture = value_of(config, "model_type", str, file=file)
    if architecture not in LAYERS:
        raise ConfigError(
            f"{file}: a student cannot be made of {architecture!r}, only of "
            f"{', '.join(sorted(LAYERS))}; the static tier can be made of any."
        )
    key = "n_layers" if architecture == "distilbert" else "num_hidden_layers"
    total = value_of(config, key, int, file=file) or 0
    if total < 2:
        raise ConfigError(
            f"{file}: a student needs a teacher of 2 layers or more, but this one has {total}; "
            "the static tier would work."
        )
    kept = total // 2
    if kept == 1:
        return (total - 1,), total
    return tuple(position * (total - 1) // (kept - 1) for position in range(kept)), total


def make_student(
    source: SentenceTransformer,
    train: Examples,
    held_out: Examples,
    target: Path,
    *,
    scratch: Path,
    threads: int,
    until: float,
    progress: Callable[[str], None],
) -> Student:
    """
    Distil a student and write its graph in dynamic int8.

    Args:
        source: The teacher.
        train: Texts to learn from.
        held_out: Texts that tell when to stop.
        target: ONNX file to write, finished.
        scratch: An empty directory.
        threads: Threads of the training; 0 for every core.
        until: Time of `monotonic` to stop training at; the conversion takes longer.
        progress: Told of each epoch.

    Raises:
        ConfigError: If the teacher is one that no student can be made of.
        ExportError: If training or conversion fails.
        MissingExtra: If the export extra is not installed.
    """
    layers, total = kept_layers(source)
    require_installed("onnx", "optimum", "torch", "transformers", extra="export")
    student = _folder_without_weights(source, scratch / "student")
    train.save(scratch / "train.npz")
    held_out.save(scratch / "held_out.npz")
    task = Distillation(
        teacher=str(source.transformer),
        student=str(student / source.transformer.relative_to(source.folder)),
        layers=layers,
        pooling=source.pooling,
        normalize=source.normalize,
        pad_id=source.pad_id,
        threads=threads,
        seconds=max(until - monotonic(), 1.0),
    )
    (scratch / "task.json").write_text(json.dumps(dataclasses.asdict(task)))
    run_child(
        "tritonkit.export.tiers.distillation",
        [str(scratch)],
        folder=scratch,
        what=f"{source.path} could not be distilled",
        progress=progress,
    )
    distilled = SentenceTransformer.read(student)
    samples = distilled.builtin_samples()
    assert samples is not None
    converted = scratch / "converted"
    converted.mkdir()
    quantised = scratch / "quantised.onnx"
    quantise_dynamic(distilled.convert(converted, samples).graph, quantised)
    rewrite(quantised, target, distilled.finish, what="pooling")
    epochs = read_json(scratch / "done.json", dict)["epochs"]
    return Student(layers=layers, of=total, epochs=int(epochs))


def _folder_without_weights(source: SentenceTransformer, target: Path) -> Path:
    """A sentence-transformers folder like the teacher's, for the student's weights."""
    for pattern in _COPIED:
        for file in sorted(source.folder.rglob(pattern)):
            copy = target / file.relative_to(source.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return target
