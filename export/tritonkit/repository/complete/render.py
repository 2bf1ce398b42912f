"""A configuration as text, with notes at its fields."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from google.protobuf import text_format

from tritonkit.repository.complete.filled import Place
from tritonkit.repository.config import ModelConfig

__all__ = ["Notes", "render_noted"]

Notes: TypeAlias = "Mapping[Place, str]"
"""Comments by the place of a field; a place that the configuration lacks is left out."""

_NONE: Notes = MappingProxyType({})
_FIRST = ("name", "platform", "backend", "max_batch_size")
"""What a reader looks for first; the other fields follow in the order of their numbers."""


def render_noted(config: ModelConfig, *, above: Notes = _NONE, beside: Notes = _NONE) -> str:
    """
    The text of a config.pbtxt, with comments.

    `max_batch_size` is written out also where it is 0.

    Args:
        config: What is written.
        above: Comments on lines of their own above a field; one that is a list has its
            comment above its first entry where the place has no position.
        beside: Comments at the end of a field's line; of a message, at its first.
    """
    return "".join(f"{line}\n" for line in _Writer(above, beside).message(config, (), ""))


class _Writer:
    def __init__(self, above: Notes, beside: Notes) -> None:
        self.above = above
        self.beside = beside

    def message(self, message: Any, place: Place, indent: str) -> Iterator[str]:
        fields = {field.name: (field, value) for field, value in message.ListFields()}
        if not place and "max_batch_size" not in fields:
            field = message.DESCRIPTOR.fields_by_name["max_batch_size"]
            fields["max_batch_size"] = (field, 0)
        first = [name for name in _FIRST if not place and name in fields]
        for name in [*first, *(name for name in fields if name not in first)]:
            yield from self.field(*fields[name], (*place, name), indent)

    def field(self, field: Any, value: Any, place: Place, indent: str) -> Iterator[str]:
        yield from (f"{indent}# {line}".rstrip() for line in self._lines(self.above, place))
        if _is_map(field):
            for key in sorted(value):
                yield from self.entry(field, key, value, (*place, key), indent)
        elif field.message_type is None:
            text = _list(field, value) if _repeats(value) else _scalar(field, value)
            yield self._line(f"{indent}{field.name}: {text}", place)
        elif _repeats(value):
            for position, inner in enumerate(value):
                at = (*place, position)
                yield from (f"{indent}# {line}".rstrip() for line in self._lines(self.above, at))
                yield from self.block(field.name, inner, at, indent)
        else:
            yield from self.block(field.name, value, place, indent)

    def block(self, name: str, message: Any, place: Place, indent: str) -> Iterator[str]:
        lines = list(self.message(message, place, indent + "  "))
        if lines:
            yield self._line(f"{indent}{name} {{", place)
            yield from lines
            yield f"{indent}}}"
        else:
            yield self._line(f"{indent}{name} {{ }}", place)

    def entry(self, field: Any, key: Any, value: Any, place: Place, indent: str) -> Iterator[str]:
        parts = field.message_type.fields_by_name
        yield self._line(f"{indent}{field.name} {{", place)
        yield f"{indent}  key: {_scalar(parts['key'], key)}"
        if parts["value"].message_type is None:
            yield f"{indent}  value: {_scalar(parts['value'], value[key])}"
        else:
            yield from self.block("value", value[key], (*place, "value"), indent + "  ")
        yield f"{indent}}}"

    def _line(self, line: str, place: Place) -> str:
        note = " ".join(self._lines(self.beside, place))
        return f"{line}  # {note}" if note else line

    def _lines(self, notes: Notes, place: Place) -> list[str]:
        # What a graph calls its axes may hold anything.
        lines = notes[place].split("\n") if place in notes else []
        return ["".join(c if c.isprintable() else " " for c in line) for line in lines]


def _is_map(field: Any) -> bool:
    message = field.message_type
    return message is not None and bool(message.GetOptions().map_entry)


def _repeats(value: Any) -> bool:
    # The descriptor's own word for it differs between protobuf's versions.
    return hasattr(value, "extend")


def _list(field: Any, values: Any) -> str:
    return f"[{', '.join(_scalar(field, value) for value in values)}]"


def _scalar(field: Any, value: Any) -> str:
    out = io.StringIO()
    text_format.PrintFieldValue(field, value, out, as_utf8=True)
    return out.getvalue()
