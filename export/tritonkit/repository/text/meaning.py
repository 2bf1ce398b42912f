"""The message that a tree means, and what in it is no ModelConfig."""

from __future__ import annotations

from ctypes import c_float
from math import copysign
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from tritonkit.repository.text import wording
from tritonkit.repository.text.fault import MOST_FLAWS, Flaw
from tritonkit.repository.text.lines import Lines
from tritonkit.repository.text.literal import Literal, read_literal
from tritonkit.repository.text.since import ReleaseNumber, is_known
from tritonkit.repository.text.tree import Block, Field, Value

__all__ = ["is_map", "read_message"]


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map, written as blocks of key and value."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def read_message(
    text: str, lines: Lines, root: Block, message: Message, release: ReleaseNumber | None = None
) -> list[Flaw]:
    """
    Fill *message* with what *root* means, and tell what is wrong with it.

    What is wrong is left out of the message, and all of it is told. A block whose
    closing brace is missing ends where a field of a block around it begins; the tree
    is mended so.

    Args:
        text: The whole text.
        lines: Its lines.
        root: Its tree.
        message: An empty message.
        release: The server's; None for one that reads every field.
    """
    reader = _Reader(text, lines, release)
    reader.block(root, message.DESCRIPTOR, message, ())
    return reader.flaws


def _in_entry(field: FieldDescriptor) -> bool:
    """Whether a field is the key or the value of a map's entry."""
    return bool(field.containing_type.GetOptions().map_entry)


def _is_zero(content: Literal) -> bool:
    """Whether protobuf takes a value for the default; a negative zero is none."""
    if isinstance(content, float):
        content = c_float(content).value
        return not content and copysign(1.0, content) > 0
    return not content


class _Reader:
    def __init__(self, text: str, lines: Lines, release: ReleaseNumber | None) -> None:
        self._text = text
        self._release = release
        self._lines = lines
        self.flaws: list[Flaw] = []

    def block(
        self,
        block: Block,
        descriptor: Descriptor,
        message: Any,
        around: tuple[tuple[Block, Descriptor], ...],
    ) -> None:
        """
        Read the fields of *block* into *message*; None where they are only looked at.

        *around* are the blocks around it, outermost first. No message holds itself, so
        that the recursion is as deep as ModelConfig's types.
        """
        seen: dict[str, Any] = {}
        at = 0
        # The fields grow while they are read, where a block among them is not closed.
        while at < len(block.fields) and len(self.flaws) <= MOST_FLAWS:
            field = block.fields[at]
            known = descriptor.fields_by_name.get(field.name)
            if known is not None and is_known(known, self._release):
                target = None if self._is_repeated(field, known, seen) else message
                inside = (*around, (block, descriptor))
                self._field(field, known, target, seen, inside)
            elif self._ends_before(block, at, descriptor, around):
                return
            else:
                self.flaws.append(wording.unknown_field(field, descriptor))
            at += 1
        if not block.closed and around and at == len(block.fields):
            self.flaws.append(wording.never_closed(self._text[block.start], block))

    def _ends_before(
        self,
        block: Block,
        at: int,
        descriptor: Descriptor,
        around: tuple[tuple[Block, Descriptor], ...],
    ) -> bool:
        """Whether the field ends a block without a closing brace; the one around gets it then."""
        field = block.fields[at]
        if block.closed or not any(field.name in each.fields_by_name for _, each in around):
            return False
        line = self._lines.place(block.start).line
        self.flaws.append(wording.closing_missing(self._text[block.start], line, field, descriptor))
        parent = around[-1][0]
        place = next(
            index
            for index in range(len(parent.fields) - 1, -1, -1)
            if any(value is block for value in parent.fields[index].values)
        )
        parent.fields[place + 1 : place + 1] = block.fields[at:]
        del block.fields[at:]
        block.end = block.inner_end = parent.fields[place].value_end = field.start
        parent.fields[place].end = field.start
        return True

    def _is_repeated(self, field: Field, known: FieldDescriptor, seen: dict[str, Any]) -> bool:
        """Whether the field has a value already, or another of its oneof has."""
        if known.is_repeated:
            return False
        if known.name in seen:
            self.flaws.append(wording.given_twice(field, known))
            return True
        oneof = known.containing_oneof
        if oneof is not None:
            other = next((each.name for each in oneof.fields if each.name in seen), None)
            if other is not None:
                self.flaws.append(wording.excluded(field, known, other))
                return True
        return False

    def _field(
        self,
        field: Field,
        known: FieldDescriptor,
        message: Any,
        seen: dict[str, Any],
        around: tuple[tuple[Block, Descriptor], ...],
    ) -> None:
        if not self._is_shaped(field, known):
            return
        errors = [(error, wording.list_error(error, known)) for error in field.list_errors]
        self.flaws += (flaw for error, flaw in errors if error.expected == ",")
        for value in field.values:
            if known.message_type is None:
                self._scalar(value, known, message, seen)
            elif isinstance(value, Block):
                self._message(value, known, message, seen, around)
            else:
                word = self._text[value.parts[0][0] : value.parts[0][1]]
                self.flaws.append(
                    wording.not_a(known, value.start, "-" if value.negative else word)
                )
        # A list's end comes behind what is wrong inside of its last value.
        self.flaws += (flaw for error, flaw in errors if error.expected != ",")

    def _is_shaped(self, field: Field, known: FieldDescriptor) -> bool:
        """Whether colon, brackets and value are there as the field's type asks for."""
        is_scalar = known.message_type is None
        if field.equals:
            self.flaws.append(wording.equals_sign(field, known))
        if field.bracket >= 0 and not known.is_repeated:
            if is_scalar and field.colon < 0:
                self.flaws.append(wording.no_colon(field, known, "["))
            else:
                self.flaws.append(wording.not_a(known, field.bracket, "["))
            return False
        if field.bracket < 0 and not field.values:
            if is_scalar and field.colon < 0:
                self.flaws.append(wording.no_colon(field, known, field.found))
            elif field.found.isidentifier() and field.found.isascii():
                self.flaws.append(wording.name_for_value(field, known, self._text))
            else:
                self.flaws.append(wording.not_a(known, field.after, field.found, field.start))
            return False
        if is_scalar and field.colon < 0:
            first = self._text[field.after]
            value = field.values[0] if field.values and field.bracket < 0 else None
            if value is not None and not isinstance(value, Block) and not value.negative:
                first = self._text[value.parts[0][0] : value.parts[0][1]]
            self.flaws.append(wording.no_colon(field, known, first))
            return not isinstance(value, Block)
        return True

    def _scalar(
        self, value: Value, known: FieldDescriptor, message: Any, seen: dict[str, Any]
    ) -> None:
        if isinstance(value, Block):
            brace = self._text[value.start]
            if brace in "{<":
                self.flaws.append(wording.not_a(known, value.start, brace))
            # What stands in a list in no braces is one of the list's own errors.
            return
        read = read_literal(self._text, value, known)
        if isinstance(read, Flaw):
            self.flaws.append(read)
        content = read.instead if isinstance(read, Flaw) else read
        if content is None:
            return
        if known.is_repeated:
            if message is not None:
                getattr(message, known.name).append(content)
            return
        # A zero of a field that has no presence is as good as none: another may follow.
        if known.has_presence or _in_entry(known) or not _is_zero(content):
            seen[known.name] = content
        if message is not None:
            setattr(message, known.name, content)

    def _message(
        self,
        block: Block,
        known: FieldDescriptor,
        message: Any,
        seen: dict[str, Any],
        around: tuple[tuple[Block, Descriptor], ...],
    ) -> None:
        descriptor = known.message_type
        if message is None:
            self.block(block, descriptor, None, around)
        elif is_map(known):
            entry: Any = message_factory.GetMessageClass(descriptor)()
            self.block(block, descriptor, entry, around)
            entries = getattr(message, known.name)
            if descriptor.fields_by_name["value"].message_type is None:
                entries[entry.key] = entry.value
            else:
                entries[entry.key].CopyFrom(entry.value)
        elif known.is_repeated:
            self.block(block, descriptor, getattr(message, known.name).add(), around)
        else:
            seen[known.name] = True
            inner = getattr(message, known.name)
            inner.SetInParent()
            self.block(block, descriptor, inner, around)
