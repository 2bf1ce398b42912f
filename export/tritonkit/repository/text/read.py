"""A configuration that must be right, read from a text or a file."""

from __future__ import annotations

from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.text.document import Document

__all__ = ["parse_config", "read_config"]


def read_config(path: Path) -> ModelConfig:
    """
    Read a config.pbtxt.

    Args:
        path: The file, or the model directory that holds it.

    Raises:
        RepositoryError: If there is no such file, what it says is not UTF-8 text, or Triton would
            refuse it; the message names file, line and column of every fault.
    """
    document = Document.read(path)
    try:
        # Triton skips comments, whatever their bytes are.
        if document.faults or document.doubts:
            document.text.encode()
    except UnicodeEncodeError as error:
        at = len(document.text[: error.start].encode())
        byte = ord(document.text[error.start]) & 0xFF
        raise RepositoryError(
            f"{document.source} is not UTF-8 text: byte {at} is {byte:#04x}."
        ) from None
    return document.checked()


def parse_config(text: str, *, source: str) -> ModelConfig:
    """
    Parse the text of a config.pbtxt.

    Args:
        text: Protobuf text format.
        source: Where the text comes from; stands in the error.

    Raises:
        RepositoryError: If Triton would refuse the text; the message has a line for each
            fault, which starts with source:line:column, both counted from 1.
    """
    return Document.parse(text, source=source).checked()
