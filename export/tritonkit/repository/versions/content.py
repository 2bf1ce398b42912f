"""
What a configuration states of the content of a version, made true again.

A cache keeps answers under the digest that config.pbtxt states. A configuration that
states the digest of one version while another answers would tell a cache, and whoever
compares servers by it, that both are the same model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tritonkit.repository.config import CONFIG_NAME, ModelConfig
from tritonkit.repository.digest import (
    BATCH_INVARIANT,
    CONFIG_DIGEST,
    MODEL_DIGEST,
    config_digest,
    ensemble_digest,
    files_digest,
    is_as_signed,
    model_digest,
)
from tritonkit.repository.text.read import parse_config
from tritonkit.repository.versions.card import CARD_FILES, read_card_summary
from tritonkit.repository.versions.edit import with_parameters

__all__ = ["content_digest", "restated", "restated_ensemble", "signed_like"]

_HEX = frozenset("0123456789abcdef")


def content_digest(folder: Path, config: ModelConfig) -> str:
    """
    The digest that export would state of the version in *folder*.

    Over every file but the card, and over the parameters that a Python model reads.
    """
    parameters = {
        name: value.string_value
        for name, value in config.parameters.items()
        if config.backend == "python" and not name.startswith("tritonkit.")
    }
    return files_digest(_files(folder), parameters)


def _is_of(stated: str, folder: Path, config: ModelConfig) -> bool:
    """Whether *stated* is the digest of the graph in *folder*, whatever notes lie beside it."""
    graph = config.default_model_filename or "model.onnx"
    files = _files(folder)
    alone = {name: path for name, path in files.items() if name == graph}
    notes = config.backend == "onnxruntime" and alone and len(files) > 1
    return bool(notes) and stated == files_digest(alone, {})


def _files(folder: Path) -> dict[str, Path]:
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in CARD_FILES and path.parent.name != "__pycache__"
    }


def restated(text: str, folder: Path, *, own: bool) -> tuple[str, list[str]]:
    """
    *text* with a digest that is true of the version in *folder*; an ensemble has none of its own.

    Args:
        text: Of a config.pbtxt under which this version is to answer.
        folder: The version's folder.
        own: Whether this version answered under it before. Otherwise it was written for
            another one.

    Returns:
        The text, and what was changed, in sentences.
    """
    config = parse_config(text, source=CONFIG_NAME)
    stated = model_digest(config)
    if config.HasField("ensemble_scheduling") or not stated or (own and not _is_sha256(stated)):
        return text, []
    actual = content_digest(folder, config)
    if stated == actual or _is_of(stated, folder, config):
        return text, []
    values = {MODEL_DIGEST: actual}
    notes = [f"its digest is now {actual[:12]}: it was {stated[:12]}, of other content"]
    if BATCH_INVARIANT in config.parameters:
        card = read_card_summary(folder)
        invariant = str(bool(card and card.batch_invariant)).lower()
        if invariant != config.parameters[BATCH_INVARIANT].string_value:
            values[BATCH_INVARIANT] = invariant
            notes.append(f"{BATCH_INVARIANT} is now {invariant}, for want of a measurement of it")
    return with_parameters(text, values), notes


def restated_ensemble(
    text: str, before: Mapping[str, ModelConfig], after: Mapping[str, ModelConfig]
) -> str:
    """
    The *text* of an ensemble with the digest of its parts, as export states it.

    Left as it is where the model is no ensemble, or states no such digest, or a part states
    none: the parts are asked for theirs then.

    Args:
        text: Of its config.pbtxt.
        before: The configurations of all models until now, by name.
        after: The same, as they will be.
    """
    config = parse_config(text, source=CONFIG_NAME)
    names = [step.model_name for step in config.ensemble_scheduling.step]
    parts = [after.get(name, ModelConfig()) for name in names]
    if not parts or not _is_sha256(model_digest(config)) or not all(map(model_digest, parts)):
        return text
    values = {MODEL_DIGEST: ensemble_digest(parts)}
    if BATCH_INVARIANT in config.parameters:
        stated = config.parameters[BATCH_INVARIANT].string_value == "true"
        invariant = all(map(_invariant, parts))
        as_measured = stated == all(_invariant(before.get(name, ModelConfig())) for name in names)
        values[BATCH_INVARIANT] = str(invariant and (stated or as_measured)).lower()
    return with_parameters(text, values)


def signed_like(text: str, before: str) -> str:
    """*text*, signed where *before* was as export wrote it: a promotion is no edit."""
    old, new = (parse_config(each, source=CONFIG_NAME) for each in (before, text))
    if not is_as_signed(old) or is_as_signed(new):
        return text
    return with_parameters(text, {CONFIG_DIGEST: config_digest(new)})


def _invariant(config: ModelConfig) -> bool:
    parameters = config.parameters
    return BATCH_INVARIANT in parameters and parameters[BATCH_INVARIANT].string_value == "true"


def _is_sha256(digest: str) -> bool:
    return len(digest) == 64 and set(digest) <= _HEX
