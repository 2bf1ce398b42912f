"""Putting something into a text."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor

from tritonkit.errors import RepositoryError
from tritonkit.repository.text.cut import cut_values
from tritonkit.repository.text.document import Document
from tritonkit.repository.text.find import Target, find
from tritonkit.repository.text.grammar import parse_tree
from tritonkit.repository.text.look import (
    after_line,
    indentation,
    is_first_on_line,
    newline_of,
)
from tritonkit.repository.text.meaning import is_map
from tritonkit.repository.text.strings import quoted
from tritonkit.repository.text.tokens import Tokens
from tritonkit.repository.text.tree import Block, Field, Value
from tritonkit.repository.text.walk import PathPart, entry_value

__all__ = ["put_field", "put_value"]


def put_value(document: Document, path: tuple[PathPart, ...], literal: str) -> str:
    """The text with *literal* at *path*."""
    target = find(document, path)
    text = document.text
    if target.missing:
        return _put(text, target.block, _written(target.descriptor, target.missing, literal))
    if target.known is None or not target.values:
        raise RepositoryError("the whole of a configuration is no value.")
    known, values = target.known, target.values
    if is_map(known):
        return _put_entry(text, target, literal)
    if known.is_repeated and not isinstance(path[-1], int):
        return _put_all(text, values, literal)
    _, value = values[-1]
    return text[: value.start] + literal + text[value.end :]


def put_field(document: Document, parent: tuple[PathPart, ...], text: str) -> str:
    """The text with a field more in the block at *parent*."""
    target = find(document, parent)
    if target.missing:
        inner = f"{{ {text} }}"
        written = _written(target.descriptor, target.missing, inner)
        return _put(document.text, target.block, written)
    block = target.block
    if target.values:
        value: Value | None = target.values[-1][1]
        if target.known is not None and is_map(target.known) and isinstance(value, Block):
            inner_value = entry_value(value)
            if inner_value is None:
                return _put(document.text, value, f"value {{ {text} }}")
            value = inner_value
        if not isinstance(value, Block):
            raise RepositoryError(f"{'.'.join(map(str, parent))} is no block.")
        block = value
    return _put(document.text, block, text)


def _put_entry(text: str, target: Target, literal: str) -> str:
    """The value of a map's entry."""
    _, entry = target.values[-1]
    if not isinstance(entry, Block):
        raise RepositoryError("an entry of a map is a block.")
    value = entry_value(entry)
    if value is None:
        colon = "" if literal.startswith("{") else ":"
        return _put(text, entry, f"value{colon} {literal}")
    return text[: value.start] + literal + text[value.end :]


def _put_all(text: str, values: tuple[tuple[Field, Value], ...], literal: str) -> str:
    """All of a repeated field: what is there changes number by number, so that comments stay."""
    wanted = _items(literal)
    if not wanted:
        return cut_values(text, values)
    if len(wanted) < len(values):
        keep, gone = values[: len(wanted)], values[len(wanted) :]
        text = cut_values(text, gone)
        for (_, value), new in zip(reversed(keep), reversed(wanted), strict=True):
            text = text[: value.start] + new + text[value.end :]
        return text
    more = wanted[len(values) :]
    for index in range(len(values) - 1, -1, -1):
        field, value = values[index]
        new = wanted[index]
        if more and index == len(values) - 1:
            new = ", ".join([new, *more])
            if field.bracket < 0:
                new = f"[ {new} ]"
        text = text[: value.start] + new + text[value.end :]
    return text


def _items(literal: str) -> list[str]:
    root, _ = parse_tree(Tokens.of(f"x: {literal}"))
    whole = f"x: {literal}"
    return [whole[value.start : value.end] for field in root.fields for value in field.values]


def _written(descriptor: Descriptor, missing: tuple[PathPart, ...], literal: str) -> str:
    """The fields of a path that is not there, as text."""
    known = descriptor.fields_by_name.get(str(missing[0]))
    if known is None:
        raise RepositoryError(f"{descriptor.name} has no field {missing[0]!r} to edit.")
    rest = missing[1:]
    if is_map(known) and rest:
        of = known.message_type.fields_by_name["value"]
        key = str(rest[0]) if isinstance(rest[0], int) else quoted(rest[0])
        value = (
            _inside(of.message_type, rest[1:], literal)
            if of.message_type is not None
            else f": {literal}"
        )
        return f"{known.name} {{ key: {key} value{value} }}"
    if known.is_repeated and rest:
        raise RepositoryError(f"{known.name} has no number {rest[0]} to edit.")
    if known.message_type is None:
        return f"{known.name}: {literal}"
    return f"{known.name}{_inside(known.message_type, rest, literal)}"


def _inside(descriptor: Descriptor, rest: tuple[PathPart, ...], literal: str) -> str:
    if not rest:
        return f" {literal}"
    return f" {{ {_written(descriptor, rest, literal)} }}"


def _put(text: str, block: Block, written: str) -> str:
    """*written* behind the fields of *block*, on a line of its own where they have such."""
    newline = newline_of(text)
    if block.fields:
        return _put_behind(text, block, block.fields[-1], written, newline)
    if block.start == 0 and not block.closed:
        # The whole text, with no field yet.
        gap = "" if not text or text.endswith("\n") else newline
        return f"{text}{gap}{written}{newline}"
    inner = text[block.start + 1 : block.inner_end]
    if "\n" in inner and is_first_on_line(text, block.inner_end):
        outer = indentation(text, block.inner_end)
        at = block.inner_end - len(outer)
        return f"{text[:at]}{outer}  {written}{newline}{text[at:]}"
    return f"{text[: block.start + 1]} {written} {text[block.inner_end :]}"


def _put_behind(text: str, block: Block, last: Field, written: str, newline: str) -> str:
    next_line = after_line(text, last.end)
    if next_line is None:
        # In one line with its block.
        separator = ""
        if last.end == last.value_end and len(block.fields) > 1:
            before = block.fields[-2]
            separator = text[before.value_end : before.end].strip()
        return f"{text[: last.end]}{separator} {written}{text[last.end :]}"
    indent = indentation(text, last.start)
    if not is_first_on_line(text, last.start) and block.closed:
        indent = indentation(text, block.inner_end) + "  "
    gap = "" if text[:next_line].endswith("\n") else newline
    return f"{text[:next_line]}{gap}{indent}{written}{newline}{text[next_line:]}"
