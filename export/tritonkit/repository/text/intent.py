"""What a configuration is to be after an edit, without its text."""

from __future__ import annotations

from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.text.grammar import parse_tree
from tritonkit.repository.text.lines import Lines
from tritonkit.repository.text.meaning import is_map, read_message
from tritonkit.repository.text.tokens import Tokens
from tritonkit.repository.text.walk import PathPart

__all__ = ["with_field", "with_value", "without"]


def with_value(config: ModelConfig, path: tuple[PathPart, ...], literal: str) -> ModelConfig:
    """*config* with a value at *path*."""
    copy = _copy(config)
    if not path:
        raise RepositoryError("the whole of a configuration is no value.")
    parent, field, part = _parent(copy, path)
    if is_map(field) and part is None:
        raise _no_such(path)
    if isinstance(part, int) and not is_map(field):
        value = _read(field, f"[ {literal} ]", path)
        values = getattr(parent, field.name)
        if field.message_type is not None or len(value) != 1 or not 0 <= part < len(values):
            raise _no_such(path)
        values[part] = value[0]
        return copy
    if is_map(field):
        of = field.message_type.fields_by_name["value"]
        value = _read(of, literal, path)
        entries = getattr(parent, field.name)
        if of.message_type is None:
            entries[part] = value
        else:
            entries[part].CopyFrom(value)
        return copy
    value = _read(field, literal, path)
    if field.is_repeated:
        parent.ClearField(field.name)
        getattr(parent, field.name).extend(value)
    elif field.message_type is not None:
        getattr(parent, field.name).CopyFrom(value)
    else:
        setattr(parent, field.name, value)
    return copy


def with_field(config: ModelConfig, path: tuple[PathPart, ...], text: str) -> ModelConfig:
    """*config* with what *text* says more in the block at *path*."""
    copy = _copy(config)
    parent = _message(copy, path, path)
    parent.MergeFrom(_parsed(parent.DESCRIPTOR, text, path))
    return copy


def without(config: ModelConfig, path: tuple[PathPart, ...]) -> ModelConfig:
    """*config* without what stands at *path*."""
    copy = _copy(config)
    if not path:
        raise RepositoryError("the whole of a configuration cannot be removed.")
    parent, field, part = _parent(copy, path)
    if is_map(field) and part is not None:
        if part not in getattr(parent, field.name):
            raise _no_such(path)
        del getattr(parent, field.name)[part]
    elif isinstance(part, int):
        values = getattr(parent, field.name)
        if not 0 <= part < len(values):
            raise _no_such(path)
        del values[part]
    elif part is None:
        parent.ClearField(field.name)
    else:
        raise _no_such(path)
    return copy


def _copy(config: ModelConfig) -> ModelConfig:
    copy = ModelConfig()
    copy.CopyFrom(config)
    return copy


def _parent(
    config: ModelConfig, path: tuple[PathPart, ...]
) -> tuple[Any, FieldDescriptor, PathPart | None]:
    """The message around the last field of *path*, that field, and the number or key behind it."""
    at, message = 0, config
    while True:
        field = message.DESCRIPTOR.fields_by_name.get(path[at])
        if field is None:
            raise _no_such(path)
        indexed = field.is_repeated and at + 1 < len(path)
        end = at + 1 + indexed
        if end == len(path):
            return message, field, path[-1] if indexed else None
        message = _message(message, path[at:end], path)
        at = end


def _message(message: Any, part: tuple[PathPart, ...], path: tuple[PathPart, ...]) -> Any:
    """The message at *part* of *path* in *message*; a key of a map is added."""
    at = 0
    while at < len(part):
        field = message.DESCRIPTOR.fields_by_name.get(part[at])
        if field is None or field.message_type is None:
            raise _no_such(path)
        value = getattr(message, field.name)
        at += 1
        if field.is_repeated:
            if at == len(part):
                raise _no_such(path)
            key = part[at]
            at += 1
            if is_map(field):
                if field.message_type.fields_by_name["value"].message_type is None:
                    raise _no_such(path)
                value = value[key]
            elif isinstance(key, int) and 0 <= key < len(value):
                value = value[key]
            else:
                raise _no_such(path)
        else:
            value.SetInParent()
        message = value
    return message


def _read(field: FieldDescriptor, literal: str, path: tuple[PathPart, ...]) -> Any:
    parsed = _parsed(field.containing_type, f"{field.name}: {literal}", path)
    return getattr(parsed, field.name)


def _parsed(descriptor: Descriptor, text: str, path: tuple[PathPart, ...]) -> Message:
    message: Message = message_factory.GetMessageClass(descriptor)()
    tokens = Tokens.of(text)
    root, flaws = parse_tree(tokens)
    flaws += read_message(text, Lines(text), root, message)
    flaws += tokens.errors()
    if flaws:
        raise RepositoryError(f"{text!r} cannot stand at {_dotted(path)}: {flaws[0].message}.")
    return message


def _no_such(path: tuple[PathPart, ...]) -> RepositoryError:
    return RepositoryError(f"a configuration has nothing to edit at {_dotted(path)}.")


def _dotted(path: tuple[PathPart, ...]) -> str:
    return ".".join(map(str, path)) or "its top level"
