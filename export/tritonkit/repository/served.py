"""A configuration as a running server gives it: JSON with the names of the proto."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.text.document import LARGEST, Document
from tritonkit.repository.text.since import first_release

__all__ = ["parse_served", "read_any", "read_form", "render_served"]

_WIDE = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
_DEEPEST = 100


def read_any(path: Path) -> ModelConfig:
    """The configuration of `read_form`."""
    return read_form(path)[0]


def read_form(path: Path) -> tuple[ModelConfig, bool]:
    """
    Read a configuration, and tell whether it is a server's JSON.

    Args:
        path: A model directory; a config.pbtxt; or the answer to GET /v2/models/MODEL/config,
            which begins with a brace, as no config.pbtxt does. A pipe is waited for.

    Raises:
        RepositoryError: If it cannot be read, or Triton would refuse its text; the
            message names every fault.
    """
    if path.is_dir():
        return Document.read(path).checked(), False
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RepositoryError(f"{path} cannot be read: {reason}.") from error
    if len(content) > LARGEST:
        raise RepositoryError(f"{path} is larger than 16 MiB; no configuration is.")
    if path.suffix != ".json" and not content.lstrip().startswith(b"{"):
        text = content.decode("utf-8", "surrogateescape")
        return Document.parse(text, source=str(path)).checked(), False
    try:
        return parse_served(content.decode(), source=str(path)), True
    except UnicodeDecodeError as error:
        raise RepositoryError(f"{path} is not UTF-8 text: byte {error.start} is none.") from error


def parse_served(text: str, *, source: str) -> ModelConfig:
    """
    Read the answer to GET /v2/models/MODEL/config.

    Args:
        text: JSON; whole numbers of 64 bits may be numbers or, as protobuf writes
            them, strings.
        source: Where it comes from; stands in the error.

    Raises:
        RepositoryError: If it is no JSON of a ModelConfig.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise RepositoryError(
            f"{source}:{error.lineno}:{error.colno}: no JSON: {error.msg}."
        ) from error
    except (RecursionError, ValueError) as error:
        raise RepositoryError(f"{source} is no JSON of a configuration: {error}.") from error
    if not isinstance(content, dict):
        raise RepositoryError(
            f"{source} is no JSON of a configuration: an object is expected, "
            f"but got {type(content).__name__}."
        )
    if set(content) == {"error"}:
        raise RepositoryError(f"{source} is an error that a server gave: {content['error']}.")
    try:
        # Half characters, which protobuf's own reader stumbles over.
        json.dumps(content, ensure_ascii=False).encode()
        return json_format.ParseDict(content, ModelConfig(), max_recursion_depth=_DEEPEST)
    except (json_format.ParseError, OverflowError, RecursionError, UnicodeError) as error:
        raise RepositoryError(f"{source} is no JSON of a configuration: {error}.") from error


def render_served(config: ModelConfig) -> str:
    """
    The JSON that a server gives of *config*, one field a line.

    Defaults are written out, and whole numbers of 64 bits are numbers, as Triton's are.
    """
    content = json_format.MessageToDict(
        config, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return (
        json.dumps(_with_numbers(content, config.DESCRIPTOR), indent=2, ensure_ascii=False) + "\n"
    )


def _with_numbers(content: dict[str, Any], descriptor: Descriptor) -> dict[str, Any]:
    fields = descriptor.fields_by_name
    return {
        name: _value(value, fields[name])
        for name, value in content.items()
        # An older server refuses what it does not know, be it only a default.
        if value or first_release(fields[name]) is None
    }


def _value(value: Any, field: FieldDescriptor) -> Any:
    if field.message_type is None:
        if field.cpp_type not in _WIDE:
            return value
        return [int(each) for each in value] if field.is_repeated else int(value)
    if field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"]
        return {key: _value(each, inner) for key, each in value.items()}
    if field.is_repeated:
        return [_with_numbers(each, field.message_type) for each in value]
    return _with_numbers(value, field.message_type)
