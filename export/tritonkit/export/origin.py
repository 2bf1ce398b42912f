"""What export writes into a configuration about where it comes from, to know it again."""

from __future__ import annotations

from dataclasses import dataclass

from tritonkit.repository import ModelConfig
from tritonkit.repository.digest import CONFIG_DIGEST, config_digest, is_as_signed

__all__ = ["EXPORT", "SOURCE_DIGEST", "Origin", "is_edited", "read_origin", "sign"]

EXPORT = "tritonkit.export"
"""Parameter: the export that wrote the model, as `Origin.export` has it."""

SOURCE_DIGEST = "tritonkit.source_digest"
"""Parameter: sha256 over the source's files."""


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Where an exported model comes from.

    Args:
        export: The export's name, and the precision unless the model is shared by
            all: "minilm int8". Two exports can want one directory: that of the
            precision int8 of "minilm" is also that of "minilm_int8".
        source_digest: sha256 over the source's files.
    """

    export: str
    source_digest: str


def sign(config: ModelConfig, origin: Origin) -> None:
    """Write *origin* into *config*, which must be complete: an edit after this one shows."""
    config.parameters[EXPORT].string_value = origin.export
    config.parameters[SOURCE_DIGEST].string_value = origin.source_digest
    config.parameters[CONFIG_DIGEST].string_value = config_digest(config)


def read_origin(config: ModelConfig) -> Origin | None:
    """The origin that stands in *config*; None where it was never signed."""
    parameters = config.parameters
    if EXPORT not in parameters or SOURCE_DIGEST not in parameters:
        return None
    return Origin(parameters[EXPORT].string_value, parameters[SOURCE_DIGEST].string_value)


def is_edited(config: ModelConfig) -> bool:
    """Whether a signed *config* says something else than when it was signed."""
    return is_as_signed(config) is False
