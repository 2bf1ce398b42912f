"""In what two configurations differ: what they mean, not how they are written."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tritonkit.repository.config import ModelConfig

__all__ = ["ABSENT", "Difference", "differences"]

ABSENT = "(absent)"
"""Stands for a value that one side does not have."""

# Messages that mean nothing where they are empty. Of others Triton looks whether they are
# there: an empty reshape makes a scalar, an empty dynamic_batching batches.
_EMPTY_IS_ABSENT = {
    "default_queue_policy",
    "execution_accelerators",
    "model_metrics",
    "model_operations",
    "model_repository_agents",
    "model_transaction_policy",
    "optimization",
    "rate_limiter",
    "response_cache",
    "version_policy",
}
# Of these Triton asks for one by its name, never by its number.
_BY_NAME = {"input", "output"}


@dataclass(frozen=True, slots=True)
class Difference:
    """
    A value that is not the same on both sides.

    Args:
        path: Where: `input[x].dims`, `parameters[key].string_value`.
        left: As protobuf's text writes it; ABSENT where there is none.
        right: The same of the other side.
    """

    path: str
    left: str
    right: str


def differences(left: ModelConfig, right: ModelConfig) -> tuple[Difference, ...]:
    """
    In what two configurations differ, in the order of ModelConfig's fields.

    The order of maps and of inputs and outputs does not count, nor do defaults that are
    written out.
    """
    ours = {value.order: value for value in _values(left, (), "")}
    theirs = {value.order: value for value in _values(right, (), "")}
    found = []
    for order in sorted({*ours, *theirs}):
        one, other = ours.get(order), theirs.get(order)
        if one is None or other is None or one.text != other.text:
            path = (one or other or _Value((), "", "")).path
            found.append(
                Difference(path, one.text if one else ABSENT, other.text if other else ABSENT)
            )
    return tuple(found)


_Order: TypeAlias = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class _Value:
    """A value, and its place in the order of fields, numbers and keys."""

    order: _Order
    path: str
    text: str


def _values(message: Message, order: _Order, path: str) -> Iterator[_Value]:
    for field in message.DESCRIPTOR.fields:
        place = f"{path}.{field.name}" if path else field.name
        yield from _field(message, field, (*order, (field.index, "")), place)


def _field(message: Message, field: FieldDescriptor, order: _Order, place: str) -> Iterator[_Value]:
    value: Any = getattr(message, field.name)
    if field.message_type is None:
        if field.is_repeated:
            if value:
                texts = (_literal(each, field) for each in value)
                yield _Value(order, place, f"[{', '.join(texts)}]")
        elif value or (field.has_presence and message.HasField(field.name)):
            yield _Value(order, place, _literal(value, field))
    elif field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"]
        for key in value:
            at = (*order, (key, "") if isinstance(key, int) else (0, key))
            if inner.message_type is None:
                yield _Value(at, f"{place}[{key}]", _literal(value[key], inner))
            else:
                yield from _present(value[key], at, f"{place}[{key}]")
    elif field.is_repeated:
        names = [getattr(each, "name", "") for each in value]
        by_name = field.name in _BY_NAME and all(names) and len(set(names)) == len(names)
        for index, each in enumerate(value):
            key = names[index] if by_name else index
            at = (*order, (0, names[index]) if by_name else (index, ""))
            yield from _present(each, at, f"{place}[{key}]")
    elif message.HasField(field.name):
        inside = list(_values(value, order, place))
        if not inside and field.name not in _EMPTY_IS_ABSENT:
            yield _Value(order, place, "{ }")
        yield from inside


def _present(message: Message, order: _Order, place: str) -> Iterator[_Value]:
    yield from list(_values(message, order, place)) or [_Value(order, place, "{ }")]


def _literal(value: Any, field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT and math.isfinite(value):
        # As few digits as tell it from its neighbours in 32 bits.
        return next(
            text
            for text in (f"{value:.{digits}g}" for digits in range(6, 18))
            if struct.pack("f", float(text)) == struct.pack("f", value)
        )
    return str(value)
