"""What is said of a field that is not as its message has it, by us and by Triton's parser."""

from __future__ import annotations

import functools
import re
from dataclasses import replace

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tritonkit.repository.config import ModelConfig
from tritonkit.repository.text.fault import Flaw
from tritonkit.repository.text.literal import BOOLS
from tritonkit.repository.text.nearest import did_you_mean
from tritonkit.repository.text.since import first_release
from tritonkit.repository.text.tree import Block, Field, ListError

__all__ = [
    "closing_missing",
    "equals_sign",
    "excluded",
    "given_twice",
    "list_error",
    "name_for_value",
    "never_closed",
    "no_colon",
    "not_a",
    "unknown_field",
]

_EXPECTED = {
    FieldDescriptor.CPPTYPE_STRING: ("text, in quotes", "Expected string, got: "),
    FieldDescriptor.CPPTYPE_BOOL: ("true or false", "Expected identifier, got: "),
    FieldDescriptor.CPPTYPE_ENUM: ("a name", "Expected integer or identifier, got: "),
    FieldDescriptor.CPPTYPE_FLOAT: ("a number", "Expected double, got: "),
    FieldDescriptor.CPPTYPE_DOUBLE: ("a number", "Expected double, got: "),
}
_INTEGER = ("a whole number", "Expected integer, got: ")
_NO_TYPE_NAME = re.compile(r"[^A-Za-z0-9_.]")
_LONGEST = 60
_FEW = 10


def unknown_field(field: Field, descriptor: Descriptor) -> Flaw:
    """A field that the message does not have, or that came after the server's release."""
    name = field.name
    triton, triton_offset = _no_field(name, descriptor), _behind(field)
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
    known = descriptor.fields_by_name.get(name)
    if known is not None:
        year, month = first_release(known) or (0, 0)
        message = f"'{name}' is read by Triton {year}.{month:02} and later; remove it"
    else:
        message = f"{descriptor.name} has no field '{_short(name)}'; {_meant(name, descriptor)}"
    return Flaw(message, field.start, triton, triton_offset)


def given_twice(field: Field, known: FieldDescriptor) -> Flaw:
    """A second value of a field that has one."""
    return Flaw(
        f"'{known.name}' is given twice; keep one of them",
        field.start,
        f'Non-repeated field "{known.name}" is specified multiple times.',
        _behind(field),
    )


def excluded(field: Field, known: FieldDescriptor, other: str) -> Flaw:
    """A second member of a oneof."""
    return Flaw(
        f"'{known.name}' excludes '{other}', which is given too; keep one of them",
        field.start,
        f'Field "{known.name}" is specified along with field "{other}", '
        f'another member of oneof "{known.containing_oneof.name}".',
        _behind(field),
    )


def never_closed(brace: str, block: Block) -> Flaw:
    """A block that the text ends in."""
    return Flaw(
        f"'{brace}' is never closed; close it by '{_closing(brace)}'",
        block.start,
        "Expected identifier, got: ",
        block.end,
    )


def closing_missing(brace: str, line: int, field: Field, descriptor: Descriptor) -> Flaw:
    """A block that a field of a block around it ends; *line* is where it was opened."""
    return Flaw(
        f"a '{_closing(brace)}' is missing before '{field.name}', for the '{brace}' of line {line}",
        field.start,
        _no_field(field.name, descriptor),
        _behind(field),
    )


def equals_sign(field: Field, known: FieldDescriptor) -> Flaw:
    """An equals sign for a colon."""
    expected = ":" if known.message_type is None else "{"
    return Flaw(
        f"a ':' stands between a field and its value, not '='; write {known.name}: ...",
        field.colon,
        f'Expected "{expected}", found "=".',
        field.colon,
    )


def no_colon(field: Field, known: FieldDescriptor, found: str) -> Flaw:
    """A field without a colon that needs one; *found* stands there."""
    what, _ = _EXPECTED.get(known.cpp_type, _INTEGER)
    if found == "{":
        message = f"{known.name} is {what}, not a block; write {known.name}: ..."
    else:
        message = f"a ':' is missing after '{known.name}'"
    return Flaw(message, field.start, f'Expected ":", found "{found}".', field.after)


def not_a(
    known: FieldDescriptor, triton_offset: int, found: str, offset: int | None = None
) -> Flaw:
    """Something that stands where a value of the field's type should."""
    but = f"but got {_short(found)}" if found else "but the text ends"
    if known.message_type is not None:
        message = f"{known.name} is a block in braces, {but}"
        triton = f'Expected "{{", found "{found}".'
    else:
        what, expected = _EXPECTED.get(known.cpp_type, _INTEGER)
        message = f"{known.name} is {what}, {but}"
        triton = expected + found
    return Flaw(message, triton_offset if offset is None else offset, triton, triton_offset)


def name_for_value(field: Field, known: FieldDescriptor, text: str) -> Flaw:
    """A field without a value, behind which the next field's name stands."""
    name, at = field.found, field.following
    flaw = not_a(known, field.after, name, field.start)
    enum = known.enum_type
    if enum is None and known.cpp_type != FieldDescriptor.CPPTYPE_BOOL:
        return flaw
    if name in (enum.values_by_name if enum is not None else BOOLS):
        message = f"a field's name is missing before '{text[at]}'"
        # A bracket begins the name of an extension, which it reads first.
        triton = "" if text[at] == "[" else f"Expected identifier, got: {text[at]}"
        return Flaw(message, at, triton, at)
    if enum is not None:
        triton = f'Unknown enumeration value of "{name}" for field "{known.name}".'
    else:
        triton = f'Invalid value for boolean field "{known.name}". Value: "{name}".'
    return replace(flaw, triton=triton, triton_offset=at)


def list_error(error: ListError, known: FieldDescriptor) -> Flaw:
    """What stands between the values of a list."""
    found = error.found
    triton = f'Expected ",", found "{found}".'
    if error.due:
        triton = not_a(known, error.triton_offset, found).triton
    if error.expected == "value" or (error.expected == "{" and known.message_type is None):
        return not_a(known, error.offset, found)
    if error.expected == "{":
        message = f"a value of '{known.name}' stands in braces in a list; put '{{' before it"
    elif error.expected == "no comma":
        message = "the last value of a list has no comma after it; remove it"
    elif found == ";":
        message = "values of a list are separated by ',', not by ';'"
    else:
        message = f"a '{error.expected}' is missing in the list of '{known.name}'"
    return Flaw(message, error.offset, triton, error.triton_offset)


def _no_field(name: str, descriptor: Descriptor) -> str:
    return f'Message type "{descriptor.full_name}" has no field named "{name}".'


def _behind(field: Field) -> int:
    """Where the token after the field's name stands, at which Triton's parser then is."""
    return field.colon if field.colon >= 0 else field.after


def _closing(brace: str) -> str:
    return "}" if brace == "{" else ">"


def _short(word: str) -> str:
    return word if len(word) <= _LONGEST else f"{word[: _LONGEST - 3]}..."


def _meant(name: str, descriptor: Descriptor) -> str:
    names = list(descriptor.fields_by_name)
    meant = did_you_mean(name, names)
    if meant:
        return meant
    homes = _homes().get(name)
    if homes:
        return f"it belongs in {', '.join(homes)}"
    return f"its fields are {', '.join(names)}" if len(names) <= _FEW else "remove it"


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
