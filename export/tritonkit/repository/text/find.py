"""The blocks and fields of a document that an edit is about."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.text.document import Document
from tritonkit.repository.text.meaning import is_map
from tritonkit.repository.text.tree import Block, Field, Value
from tritonkit.repository.text.walk import PathPart, entry_value, numbered, occurrences

__all__ = ["Target", "find"]


@dataclass(frozen=True, slots=True)
class Target:
    """
    The end of a path, as far as the text has it.

    Args:
        block: The innermost block on the path that is there.
        descriptor: The type of its message.
        missing: What of the path is not there: empty where all of it is.
        field: The last field of the path that is there; None at the top.
        known: Its descriptor.
        values: What the path names: one value, or all of a repeated field.
    """

    block: Block
    descriptor: Descriptor
    missing: tuple[PathPart, ...]
    field: Field | None = None
    known: FieldDescriptor | None = None
    values: tuple[tuple[Field, Value], ...] = ()


def find(document: Document, path: tuple[PathPart, ...]) -> Target:
    """
    Follow *path* into the text.

    Raises:
        RepositoryError: If no configuration has such a path.
    """
    block, descriptor, rest = document.root, ModelConfig.DESCRIPTOR, path
    target = Target(block, descriptor, ())
    while rest:
        known = descriptor.fields_by_name.get(str(rest[0]))
        if known is None:
            raise RepositoryError(f"{descriptor.name} has no field {rest[0]!r} to edit.")
        found = occurrences(block, known.name)
        if not found:
            return Target(block, descriptor, rest)
        rest_after = rest[1:]
        if known.is_repeated and rest_after:
            found = numbered(document.text, block, known, rest_after[0])
            if not found:
                return Target(block, descriptor, rest)
            rest_after = rest_after[1:]
        target = Target(block, descriptor, (), found[-1][0], known, tuple(found))
        if not rest_after:
            return target
        value: Value | None = found[-1][1]
        inner = known.message_type
        if is_map(known) and isinstance(value, Block):
            # Of an entry the value's block is meant; where it is not written, the entry's.
            within = entry_value(value)
            inner = inner.fields_by_name["value"].message_type
            if within is None and inner is not None:
                return Target(value, known.message_type, ("value", *rest_after))
            value = within
        if inner is None or not isinstance(value, Block):
            raise RepositoryError(f"{known.name} has no field {rest_after[0]!r} to edit.")
        block, descriptor, rest = value, inner, rest_after
        target = Target(block, descriptor, ())
    return target
