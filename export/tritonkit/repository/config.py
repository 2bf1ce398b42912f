"""config.pbtxt: protobuf text of Triton's ModelConfig, read, written and parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tritonkit.errors import RepositoryError
from tritonkit.repository.regular import read_regular
from tritonkit.repository.shown import shown

__all__ = [
    "CONFIG_NAME",
    "ModelConfig",
    "parse_bytes",
    "parse_config",
    "read_config",
    "render_config",
]

CONFIG_NAME = "config.pbtxt"
"""The file that Triton reads in a model's directory."""

_NO_COMMENTS: Mapping[str, str] = MappingProxyType({})

_LONGEST_REASON = 240

# At the start of a line: what is nested is indented.
_FIELD = re.compile(r"\w+")
_KEY = re.compile(r'  key: "(.*)"$')

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
        content = read_regular(file)
    except OSError as error:
        raise RepositoryError(f"{file} cannot be read: {error.strerror}.") from error
    return parse_bytes(content, source=str(file))[1]


def parse_bytes(content: bytes, *, source: str) -> tuple[str, ModelConfig]:
    """
    Parse the content of a config.pbtxt.

    Bytes that are no UTF-8 may stand in comments, where Triton skips them. In the text they
    are characters that `encode("utf-8", "surrogateescape")` makes bytes again.

    Raises:
        RepositoryError: As of `parse_config`, or if other text than comments is not UTF-8.
    """
    text = content.decode("utf-8", "surrogateescape")
    try:
        return text, parse_config(text, source=source)
    except RepositoryError:
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise RepositoryError(
                f"{source} is not UTF-8 text: byte {error.start} is "
                f"{error.object[error.start]:#04x}."
            ) from error
        raise


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


def render_config(config: ModelConfig, comments: Mapping[str, str] = _NO_COMMENTS) -> str:
    """
    The text of a config.pbtxt, the same for equal configs and comments.

    `max_batch_size: 0` is written out: text format drops zeros, and an absent
    line reads as "complete it for me".

    Args:
        config: What to write.
        comments: Text that stands above a field, as `#` lines, by the field's name:
            "instance_group", or "parameters.KEY" for one parameter. Those of fields
            that *config* does not have are left out.
    """
    text: str = text_format.MessageToString(
        config, as_utf8=True, use_short_repeated_primitives=True
    )
    # Not splitlines(): it would also break lines inside quotes, at U+2028 and the like.
    lines = text.split("\n")[:-1]
    if not config.max_batch_size:
        # Field numbers order the text: the name comes first, where there is one.
        lines.insert(1 if config.name else 0, "max_batch_size: 0")
    return "".join(f"{line}\n" for line in _commented(lines, comments))


def _commented(lines: list[str], comments: Mapping[str, str]) -> Iterator[str]:
    left = dict(comments)
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        field = _FIELD.match(line)
        if field:
            key = _KEY.match(following) if field[0] == "parameters" else None
            comment = left.pop(f"parameters.{key[1]}" if key else field[0], "")
            yield from (f"# {part}".rstrip() for part in comment.splitlines())
        yield line


def _located(error: text_format.ParseError, source: str) -> str:
    line, column = error.GetLine(), error.GetColumn()
    if line is None:
        return f"{source}: {error}"
    # protobuf's own text begins with "line:column : ".
    reason = str(error).partition(" : ")[2] or str(error)
    if len(reason) > _LONGEST_REASON:
        # It names a word of the text, which may be all of it.
        half = _LONGEST_REASON // 2
        reason = f"{reason[:half]} ... {reason[-half:]}"
    reason = shown(reason)
    return f"{source}:{line}:{column or 1}: {reason}"
