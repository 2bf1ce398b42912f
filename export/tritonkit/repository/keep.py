"""What stays of a model's directory when a version is added to it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME, ModelConfig
from tritonkit.repository.layout import ModelDirectory
from tritonkit.repository.sync import sync, write_synced
from tritonkit.repository.tensor import Tensor, config_inputs, config_outputs
from tritonkit.repository.text.document import Document
from tritonkit.repository.text.read import read_config
from tritonkit.repository.versions.policy import loaded_versions
from tritonkit.repository.versions.record import RECORD_NAME, read_record

__all__ = ["keep_versions"]


def keep_versions(
    standing: ModelDirectory, staged: Path, config: ModelConfig, *, force: bool
) -> None:
    """
    Add to the directory *staged* what *standing* has and it has not.

    Files are linked, so that they take no space and keep their times; where the file
    system knows no links they are copied.

    Args:
        standing: The model as it is; it is not changed.
        staged: The model as it will be, with its new versions.
        config: Its new configuration, which kept versions are loaded with.
        force: Whether a version may be in both, and stay out.

    Raises:
        RepositoryError: If a version is in both, or the two configurations describe
            different models, or models of other labels, or it cannot be read what was
            served before.
    """
    new = ModelDirectory(staged).versions()
    both = sorted({*new} & {*standing.versions()})
    if both and not force:
        raise RepositoryError(
            f"model {standing.name!r} has version {both[0]} already; "
            "add the next one, or overwrite it with force."
        )
    kept = [version for version in standing.versions() if version not in new]
    if kept:
        _check_same_model(standing, staged, config, kept)
        _remember(standing, staged, kept)
    for entry in standing.path.iterdir():
        target = staged / entry.name
        if entry.name not in (CONFIG_NAME, RECORD_NAME) and not target.exists():
            _link(entry, target)


def _remember(standing: ModelDirectory, staged: Path, kept: list[int]) -> None:
    """What was served until now can be brought back, with the configuration that it had."""
    document = Document.read(standing.config_path)
    served = loaded_versions(document.checked(), standing)
    # A version that is overwritten, or went by hand, is not the one that was served.
    record = read_record(standing.path).left(served, document.text).of(kept)
    if record.states:
        write_synced(staged / RECORD_NAME, record.to_json().encode())


def _check_same_model(
    standing: ModelDirectory, staged: Path, config: ModelConfig, kept: list[int]
) -> None:
    standing_config = read_config(standing.path)
    before, after = _described(standing_config), _described(config)
    differences = [
        f"{what} {before[what]}, now {after[what]}"
        for what in before
        if before[what] != after[what]
    ]
    if not differences:
        labels = _labels(standing.path, standing_config), _labels(staged, config)
        differences = [
            _label_difference(output, labels[0][output], labels[1][output])
            for output in labels[0]
            if labels[0][output] != labels[1][output]
        ]
    if differences:
        raise RepositoryError(
            f"model {standing.name!r} keeps version {', '.join(map(str, kept))}, which do not "
            f"fit the new configuration: it had {'; '.join(differences)}. "
            "Give the new model another name, or replace the old one whole."
        )


def _described(config: ModelConfig) -> dict[str, str]:
    """What all versions of one model have in common."""
    return {
        "backend": config.backend or config.platform,
        "a batch axis:": "yes" if config.max_batch_size else "no",
        "inputs": _listed(config_inputs(config)),
        "outputs": _listed(config_outputs(config)),
    }


def _listed(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(sorted(f"{t.name} {t.data_type} {list(t.dims)}" for t in tensors)) or "none"


def _labels(directory: Path, config: ModelConfig) -> dict[str, list[str]]:
    """The names of the classes of each output; the file is the model's, whatever the version."""
    return {
        output.name: _lines(directory / output.label_filename) if output.label_filename else []
        for output in config.output
    }


def _lines(file: Path) -> list[str]:
    if not file.is_file():
        return []
    return file.read_text(encoding="utf-8", errors="backslashreplace").splitlines()


def _label_difference(output: str, before: list[str], after: list[str]) -> str:
    if len(before) != len(after):
        return f"{len(before)} labels of {output}, now {len(after)}"
    position = [old == new for old, new in zip(before, after, strict=True)].index(False)
    return f"label {position} of {output} {before[position]!r}, now {after[position]!r}"


def _link(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir()
        for entry in source.iterdir():
            _link(entry, target / entry.name)
    else:
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)
            sync(target)
