"""config.pbtxt: protobuf text of Triton's ModelConfig, and how it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

__all__ = ["CONFIG_NAME", "ModelConfig", "render_config"]

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
            # A NUL ends a comment for Triton's parser.
            lines_of = comment.replace("\0", " ").splitlines()
            yield from (f"# {part}".rstrip() for part in lines_of)
        yield line
