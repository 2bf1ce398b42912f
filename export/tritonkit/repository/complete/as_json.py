"""A configuration as Triton's HTTP endpoint prints it."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format

from tritonkit.repository.config import ModelConfig

__all__ = ["as_json"]


def as_json(config: ModelConfig) -> dict[str, Any]:
    """
    What `GET /v2/models/NAME/config` answers: every field, defaults too, by its own name.

    Where protobuf's JSON has 64-bit integers as strings, Triton has numbers. A field that is
    newer than the server stands here with its default, and is missing there.
    """
    found: dict[str, Any] = json_format.MessageToDict(
        config, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    _mend(config.DESCRIPTOR, found)
    return found


def _mend(descriptor: Any, found: dict[str, Any]) -> None:
    for name, value in found.items():
        field = descriptor.fields_by_name[name]
        message = field.message_type
        if message is None:
            if field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64):
                found[name] = [int(v) for v in value] if isinstance(value, list) else int(value)
        elif message.GetOptions().map_entry:
            inner = message.fields_by_name["value"].message_type
            for entry in value.values() if inner is not None else ():
                _mend(inner, entry)
        else:
            for entry in value if isinstance(value, list) else [value]:
                _mend(message, entry)
