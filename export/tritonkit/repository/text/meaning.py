"""The message that a tree means, and what in it is no ModelConfig."""

from __future__ import annotations

import functools
import re
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from tritonkit.repository.config import ModelConfig
from tritonkit.repository.text.fault import MOST_FLAWS, Flaw
from tritonkit.repository.text.lines import Lines
from tritonkit.repository.text.literal import read_literal
from tritonkit.repository.text.nearest import did_you_mean
from tritonkit.repository.text.since import ReleaseNumber, first_release, is_known
from tritonkit.repository.text.tree import Block, Field, ListError, Value

__all__ = ["is_map", "read_message"]

_EXPECTED = {
    FieldDescriptor.CPPTYPE_STRING: ("text, in quotes", "Expected string, got: "),
    FieldDescriptor.CPPTYPE_BOOL: ("true or false", "Expected identifier, got: "),
    FieldDescriptor.CPPTYPE_ENUM: ("a name", "Expected integer or identifier, got: "),
    FieldDescriptor.CPPTYPE_FLOAT: ("a number", "Expected double, got: "),
    FieldDescriptor.CPPTYPE_DOUBLE: ("a number", "Expected double, got: "),
}
_NO_TYPE_NAME = re.compile(r"[^A-Za-z0-9_.]")
_INTEGER = ("a whole number", "Expected integer, got: ")


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
                self._unknown(field, descriptor)
            at += 1
        if not block.closed and around and at == len(block.fields):
            brace = self._text[block.start]
            self.flaws.append(
                Flaw(
                    f"'{brace}' is never closed; close it by '{_closing(brace)}'",
                    block.start,
                    "Expected identifier, got: ",
                    block.end,
                )
            )

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
        brace = self._text[block.start]
        opened = self._lines.place(block.start).line
        self.flaws.append(
            Flaw(
                f"a '{_closing(brace)}' is missing before '{field.name}', "
                f"for the '{brace}' of line {opened}",
                field.start,
                f'Message type "{descriptor.full_name}" has no field named "{field.name}".',
                _behind(field),
            )
        )
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

    def _unknown(self, field: Field, descriptor: Descriptor) -> None:
        name = field.name
        triton = f'Message type "{descriptor.full_name}" has no field named "{name}".'
        triton_offset = _behind(field)
        if name.startswith("["):
            wrong = _NO_TYPE_NAME.search(name, 1, len(name) - 1)
            if wrong:
                triton = f'Expected "]", found "{wrong[0]}".'
                triton_offset = field.start + wrong.start()
            else:
                triton = (
                    f'Extension "{name[1:-1]}" is not defined or is not an extension '
                    f'of "{descriptor.full_name}".'
                )
        shown = name if len(name) <= 60 else f"{name[:57]}..."
        known = descriptor.fields_by_name.get(name)
        if known is not None:
            year, month = first_release(known) or (0, 0)
            message = f"'{name}' is read by Triton {year}.{month:02} and later; remove it"
        else:
            message = f"{descriptor.name} has no field '{shown}'; {_meant(name, descriptor)}"
        self.flaws.append(Flaw(message, field.start, triton, triton_offset))

    def _is_repeated(self, field: Field, known: FieldDescriptor, seen: dict[str, Any]) -> bool:
        """Whether the field has a value already, or another of its oneof has."""
        if known.is_repeated:
            return False
        if known.name in seen:
            self.flaws.append(
                Flaw(
                    f"'{known.name}' is given twice; keep one of them",
                    field.start,
                    f'Non-repeated field "{known.name}" is specified multiple times.',
                    _behind(field),
                )
            )
            return True
        oneof = known.containing_oneof
        if oneof is not None:
            other = next((each.name for each in oneof.fields if each.name in seen), None)
            if other is not None:
                self.flaws.append(
                    Flaw(
                        f"'{known.name}' excludes '{other}', which is given too; keep one of them",
                        field.start,
                        f'Field "{known.name}" is specified along with field "{other}", '
                        f'another member of oneof "{oneof.name}".',
                        _behind(field),
                    )
                )
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
        for error in field.list_errors:
            self._list_error(error, known)
        for value in field.values:
            if known.message_type is None:
                self._scalar(value, known, message, seen)
            elif isinstance(value, Block):
                self._message(value, known, message, seen, around)
            else:
                word = self._text[value.parts[0][0] : value.parts[0][1]]
                self._not_a(known, value.start, "-" if value.negative else word)

    def _is_shaped(self, field: Field, known: FieldDescriptor) -> bool:
        """Whether colon, brackets and value are there as the field's type asks for."""
        is_scalar = known.message_type is None
        if field.equals:
            expected = ":" if is_scalar else "{"
            self.flaws.append(
                Flaw(
                    f"a ':' stands between a field and its value, not '='; write {known.name}: ...",
                    field.colon,
                    f'Expected "{expected}", found "=".',
                    field.colon,
                )
            )
        if field.bracket >= 0 and not known.is_repeated:
            if is_scalar and field.colon < 0:
                self._no_colon(field, known, "[")
            else:
                self._not_a(known, field.bracket, "[")
            return False
        if field.bracket < 0 and not field.values:
            if is_scalar and field.colon < 0:
                self._no_colon(field, known, field.found)
            else:
                self._not_a(known, field.after, field.found, field.start)
            return False
        if is_scalar and field.colon < 0:
            first = self._text[field.after]
            value = field.values[0] if field.values and field.bracket < 0 else None
            if value is not None and not isinstance(value, Block) and not value.negative:
                first = self._text[value.parts[0][0] : value.parts[0][1]]
            self._no_colon(field, known, first)
            return not isinstance(value, Block)
        return True

    def _no_colon(self, field: Field, known: FieldDescriptor, found: str) -> None:
        what, _ = _EXPECTED.get(known.cpp_type, _INTEGER)
        if found == "{":
            message = f"{known.name} is {what}, not a block; write {known.name}: ..."
        else:
            message = f"a ':' is missing after '{known.name}'"
        self.flaws.append(
            Flaw(message, field.start, f'Expected ":", found "{found}".', field.after)
        )

    def _not_a(
        self, known: FieldDescriptor, triton_offset: int, found: str, offset: int | None = None
    ) -> None:
        """Something stands where a value of the field's type should."""
        but = f"but got {found[:60]}" if found else "but the text ends"
        if known.message_type is not None:
            message = f"{known.name} is a block in braces, {but}"
            triton = f'Expected "{{", found "{found}".'
        else:
            what, expected = _EXPECTED.get(known.cpp_type, _INTEGER)
            message = f"{known.name} is {what}, {but}"
            triton = expected + found
        place = triton_offset if offset is None else offset
        self.flaws.append(Flaw(message, place, triton, triton_offset))

    def _list_error(self, error: ListError, known: FieldDescriptor) -> None:
        if error.expected == "{":
            self.flaws.append(
                Flaw(
                    f"a value of '{known.name}' stands in braces in a list; put '{{' before it",
                    error.offset,
                    f'Expected "{{", found "{error.found}".',
                    error.triton_offset,
                )
            )
            return
        if error.expected == "value":
            self._not_a(known, error.offset, error.found)
            return
        if error.expected == "no comma":
            _, expected = _EXPECTED.get(known.cpp_type, _INTEGER)
            triton = expected + "]"
            if known.message_type is not None:
                triton = 'Expected "{", found "]".'
            message = "the last value of a list has no comma after it; remove it"
        else:
            triton = f'Expected ",", found "{error.found}".'
            message = (
                f"values of a list are separated by ',', not by '{error.found}'"
                if error.found == ";"
                else f"a '{error.expected}' is missing in the list of '{known.name}'"
            )
        self.flaws.append(Flaw(message, error.offset, triton, error.triton_offset))

    def _scalar(
        self, value: Value, known: FieldDescriptor, message: Any, seen: dict[str, Any]
    ) -> None:
        if isinstance(value, Block):
            self._not_a(known, value.start, self._text[value.start])
            return
        content = read_literal(self._text, value, known)
        if isinstance(content, Flaw):
            self.flaws.append(content)
            return
        if known.is_repeated:
            if message is not None:
                getattr(message, known.name).append(content)
            return
        # A zero of a field that has no presence is as good as none: another may follow.
        if known.has_presence or content:
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


def _meant(name: str, descriptor: Descriptor) -> str:
    names = list(descriptor.fields_by_name)
    meant = did_you_mean(name, names)
    if meant:
        return meant
    homes = _homes().get(name)
    if homes:
        return f"it belongs in {', '.join(homes)}"
    return f"its fields are {', '.join(names)}" if len(names) <= 10 else "remove it"


@functools.cache
def _homes() -> dict[str, list[str]]:
    """The fields of ModelConfig and of what it holds, by what they are fields of."""
    homes: dict[str, list[str]] = {}
    ahead = [("the top level", ModelConfig.DESCRIPTOR)]
    done = set()
    while ahead:
        home, descriptor = ahead.pop(0)
        is_entry = descriptor.GetOptions().map_entry
        for field in descriptor.fields:
            if not is_entry and home not in homes.setdefault(field.name, []):
                homes[field.name].append(home)
            inside = home if is_entry else field.name
            if field.message_type is not None and (inside, field.message_type) not in done:
                done.add((inside, field.message_type))
                ahead.append((inside, field.message_type))
    return homes


def _closing(brace: str) -> str:
    return "}" if brace == "{" else ">"


def _behind(field: Field) -> int:
    """Where the token after the field's name stands, at which Triton's parser then is."""
    return field.colon if field.colon >= 0 else field.after
