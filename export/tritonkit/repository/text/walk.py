"""From a path in the message to where it stands in the tree."""

from __future__ import annotations

from typing import TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tritonkit.repository.text.fault import Flaw
from tritonkit.repository.text.literal import read_literal
from tritonkit.repository.text.meaning import is_map
from tritonkit.repository.text.tree import Block, Field, Scalar, Value

__all__ = ["PathPart", "enclosing", "entry_key", "entry_value", "numbered", "occurrences"]

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
            chosen = numbered(text, block, known, path[at])
            if not chosen:
                return at, offset
            field, value = chosen[-1]
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
    if block.index is None:
        block.index = {}
        for field in block.fields:
            block.index.setdefault(field.name, []).extend((field, value) for value in field.values)
    return block.index.get(name, [])


def _entries(
    text: str, block: Block, known: FieldDescriptor, key: PathPart
) -> list[tuple[Field, Value]]:
    """The entries of the map *known* that have a key; of several, the last counts."""
    if block.keys is None:
        block.keys = {}
    by_key = block.keys.get(known.name)
    if by_key is None:
        by_key = block.keys[known.name] = {}
        for field, value in occurrences(block, known.name):
            if isinstance(value, Block):
                at = entry_key(text, value, known)
                by_key.setdefault(at, []).append((field, value))
    return by_key.get(key, [])


def numbered(
    text: str, block: Block, known: FieldDescriptor, part: PathPart
) -> list[tuple[Field, Value]]:
    """What a number or key chooses of a repeated field or a map; none where it has no such."""
    if is_map(known):
        return _entries(text, block, known, part)
    found = occurrences(block, known.name)
    return found[part : part + 1] if isinstance(part, int) and part >= 0 else []


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


def _last_scalar(block: Block, name: str) -> Scalar | None:
    found = occurrences(block, name)
    return found[-1][1] if found and isinstance(found[-1][1], Scalar) else None


def _stands_at(field: Field, value: Value) -> int:
    """A scalar stands where it is written, a block where its name is, in a list at its brace."""
    return value.start if isinstance(value, Scalar) or field.bracket >= 0 else field.start
