"""From a path in the message to where it stands in the tree."""

from __future__ import annotations

from typing import TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tritonkit.repository.text.fault import Flaw
from tritonkit.repository.text.literal import read_literal
from tritonkit.repository.text.meaning import is_map
from tritonkit.repository.text.tree import Block, Field, Scalar, Value

__all__ = ["PathPart", "enclosing", "entry_key", "entry_value", "occurrences"]

PathPart: TypeAlias = str | int
"""Name of a field, number in a repeated one, or key of a map."""


def enclosing(
    text: str, root: Block, descriptor: Descriptor, path: tuple[PathPart, ...]
) -> tuple[int, int]:
    """
    How many parts of *path* are in the text, and where the last of them stands.

    Of no part, that is at 0.
    """
    block, offset, at = root, 0, 0
    while at < len(path):
        known = descriptor.fields_by_name.get(str(path[at]))
        found = occurrences(block, str(path[at])) if known is not None else []
        if known is None or not found:
            return at, offset
        field, value = found[0] if known.is_repeated else found[-1]
        offset = _stands_at(field, value)
        at += 1
        if known.is_repeated and at < len(path):
            chosen = _chosen(text, found, known, path[at])
            if chosen is None:
                return at, offset
            field, value = chosen
            offset = _stands_at(field, value)
            at += 1
            if is_map(known) and isinstance(value, Block):
                key = _last_scalar(value, "key")
                inner = entry_value(value)
                offset = key.start if key is not None else offset
                if isinstance(inner, Scalar):
                    offset = inner.start
                elif inner is None and at < len(path):
                    return at, offset
                value = inner if inner is not None else value
        if at == len(path):
            return at, offset
        if known.message_type is None or not isinstance(value, Block):
            return at, offset
        block = value
        descriptor = known.message_type
        if is_map(known):
            descriptor = descriptor.fields_by_name["value"].message_type
            if descriptor is None:
                return at, offset
    return at, offset


def occurrences(block: Block, name: str) -> list[tuple[Field, Value]]:
    """The values of a field, in the order in which protobuf numbers them."""
    return [
        (field, value) for field in block.fields if field.name == name for value in field.values
    ]


def entry_key(text: str, entry: Block, known: FieldDescriptor) -> PathPart:
    """The key of an entry of the map *known*; one that is not written is its default."""
    scalar = _last_scalar(entry, "key")
    of = known.message_type.fields_by_name["key"]
    default: PathPart = "" if of.cpp_type == FieldDescriptor.CPPTYPE_STRING else 0
    if scalar is None:
        return default
    read = read_literal(text, scalar, of)
    content = read.instead if isinstance(read, Flaw) else read
    return default if content is None or isinstance(content, float) else content


def entry_value(entry: Block) -> Value | None:
    """The value of an entry of a map, if written."""
    found = occurrences(entry, "value")
    return found[-1][1] if found else None


def _chosen(
    text: str, found: list[tuple[Field, Value]], known: FieldDescriptor, part: PathPart
) -> tuple[Field, Value] | None:
    if is_map(known):
        # Of entries with one key, the last counts.
        return next(
            (
                (field, value)
                for field, value in reversed(found)
                if isinstance(value, Block) and entry_key(text, value, known) == part
            ),
            None,
        )
    if isinstance(part, int) and 0 <= part < len(found):
        return found[part]
    return None


def _last_scalar(block: Block, name: str) -> Scalar | None:
    found = occurrences(block, name)
    return found[-1][1] if found and isinstance(found[-1][1], Scalar) else None


def _stands_at(field: Field, value: Value) -> int:
    """A scalar stands where it is written, a block where its name is, in a list at its brace."""
    return value.start if isinstance(value, Scalar) or field.bracket >= 0 else field.start
