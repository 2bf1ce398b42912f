"""config.pbtxt: protobuf text of Triton's ModelConfig, read, written and parsed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tritonkit.errors import RepositoryError

__all__ = ["CONFIG_NAME", "ModelConfig", "parse_config", "read_config", "render_config"]

CONFIG_NAME = "config.pbtxt"
"""The file that Triton reads in a model's directory."""

if TYPE_CHECKING:
    ModelConfig: TypeAlias = Any
else:
    ModelConfig = model_config_pb2.ModelConfig


def read_config(path: Path) -> ModelConfig:
    """
    Read a config.pbtxt.

    Args:
        path: The file, or the model directory that holds it.

    Raises:
        RepositoryError: If there is no such file, or it is no ModelConfig; the
            message names file, line and column.
    """
    file = path / CONFIG_NAME if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RepositoryError(
            f"{file} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}."
        ) from error
    except OSError as error:
        raise RepositoryError(f"{file} cannot be read: {error.strerror}.") from error
    return parse_config(text, source=str(file))


def parse_config(text: str, *, source: str) -> ModelConfig:
    """
    Parse the text of a config.pbtxt.

    Args:
        text: Protobuf text format.
        source: Where the text comes from; stands in the error.

    Raises:
        RepositoryError: If the text is no ModelConfig; the message starts with
            source:line:column, both counted from 1.
    """
    try:
        return text_format.Parse(text, ModelConfig())
    except text_format.ParseError as error:
        raise RepositoryError(_located(error, source)) from error


def render_config(config: ModelConfig) -> str:
    """
    The text of a config.pbtxt, the same for equal configs.

    `max_batch_size: 0` is written out: text format drops zeros, and an absent
    line reads as "complete it for me".
    """
    text: str = text_format.MessageToString(
        config, as_utf8=True, use_short_repeated_primitives=True
    )
    if config.max_batch_size:
        return text
    # Field numbers order the text: the name comes first, where there is one.
    # Not splitlines(): it would also break lines inside quotes, at U+2028 and the like.
    end_of_name = text.index("\n") + 1 if config.name else 0
    return f"{text[:end_of_name]}max_batch_size: 0\n{text[end_of_name:]}"


def _located(error: text_format.ParseError, source: str) -> str:
    line, column = error.GetLine(), error.GetColumn()
    if line is None:
        return f"{source}: {error}"
    # protobuf's own text begins with "line:column : ".
    reason = str(error).partition(" : ")[2] or str(error)
    return f"{source}:{line}:{column or 1}: {reason}"
