"""What identifies a served model's answers, who may keep them, and its configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tritonkit.repository.config import ModelConfig

__all__ = [
    "BATCH_INVARIANT",
    "CONFIG_DIGEST",
    "MODEL_DIGEST",
    "config_digest",
    "ensemble_digest",
    "files_digest",
    "is_as_signed",
    "model_digest",
]

MODEL_DIGEST = "tritonkit.model_digest"
"""Parameter: sha256 of what decides the answers; a change of model changes it."""

BATCH_INVARIANT = "tritonkit.batch_invariant"
"""Parameter: "true" where an answer does not depend on the rest of its batch."""

CONFIG_DIGEST = "tritonkit.config_digest"
"""Parameter: sha256 of the configuration as written, without this parameter and version_policy."""


def model_digest(config: ModelConfig) -> str:
    """The digest that export wrote into *config*; empty where there is none."""
    if MODEL_DIGEST not in config.parameters:
        return ""
    return str(config.parameters[MODEL_DIGEST].string_value)


def ensemble_digest(configs: Iterable[ModelConfig]) -> str:
    """The digest of an ensemble that calls models of these *configs*, in their order."""
    return _digest(model_digest(config).encode() for config in configs)


def files_digest(files: Mapping[str, Path | bytes], parameters: Mapping[str, str]) -> str:
    """The digest of a model made of *files* that reads *parameters*."""
    pairs: list[bytes] = []
    for name, content in sorted(files.items()):
        pairs += [name.encode(), _content_digest(content)]
    for name, value in sorted(parameters.items()):
        pairs += [name.encode(), value.encode()]
    return _digest(pairs)


def config_digest(config: ModelConfig) -> str:
    """
    The digest of *config*, by which an edit shows.

    Comments and spaces do not count, nor does which versions are served: that changes by
    `tritonkit repo promote`.
    """
    return _config_digest(config, "version_policy")


def is_as_signed(config: ModelConfig) -> bool | None:
    """Whether *config* says what it said when its digest was written; None where it has none."""
    if CONFIG_DIGEST not in config.parameters:
        return None
    # Earlier versions of tritonkit counted the version policy too.
    signed = config.parameters[CONFIG_DIGEST].string_value
    return signed in (config_digest(config), _config_digest(config))


def _config_digest(config: ModelConfig, *without: str) -> str:
    plain = ModelConfig()
    plain.CopyFrom(config)
    for field in without:
        plain.ClearField(field)
    if CONFIG_DIGEST in plain.parameters:
        del plain.parameters[CONFIG_DIGEST]
    return hashlib.sha256(plain.SerializeToString(deterministic=True)).hexdigest()


def _digest(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def _content_digest(content: Path | bytes) -> bytes:
    if isinstance(content, bytes):
        return hashlib.sha256(content).digest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
