"""The text of a config.pbtxt with some fields changed and all the rest as it was."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf import text_format

from tritonkit.errors import ConfigError
from tritonkit.repository.text.read import parse_config

if TYPE_CHECKING:
    ModelConfig: TypeAlias = Any

__all__ = ["FieldText", "edited", "fields_of"]

_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_NAME = re.compile(r"[A-Za-z_]\w*")
_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
_WORD = re.compile(r"[-+.\w]+")
_CLOSING = {"{": "}", "<": ">", "[": "]"}
_SEPARATORS = ",;"


@dataclass(frozen=True, slots=True)
class FieldText:
    """
    Where a field of the message stands.

    Args:
        name: Of the field.
        start: Of its name in the text.
        end: After its value, and after a separator.
    """

    name: str
    start: int
    end: int


def edited(text: str, config: ModelConfig, changed: ModelConfig) -> tuple[str, tuple[str, ...]]:
    """
    Write the fields that changed, and leave the others, their order and comments alone.

    Args:
        text: That says *config*.
        config: As it is.
        changed: As it is to be.

    Returns:
        The text, and the comments inside of what was written anew.

    Raises:
        ConfigError: If the text is written in a way that is not understood here.
    """
    names = {field.name for one in (config, changed) for field, _ in one.ListFields()}
    fields = fields_of(text)
    lost: list[str] = []
    new: list[str] = []
    edits: list[tuple[int, int, str]] = []
    for name in (field.name for field in changed.DESCRIPTOR.fields if field.name in names):
        if _only(config, name) == _only(changed, name):
            continue
        wanted = _rendered(changed, name)
        places = [field for field in fields if field.name == name]
        for number, place in enumerate(places):
            lost += _comments(text[place.start : place.end])
            if number or not wanted:
                edits.append((*_with_its_line(text, place), ""))
            else:
                edits.append((place.start, place.end, wanted))
        if not places and wanted:
            new.append(wanted)
    for start, end, wanted in sorted(edits, reverse=True):
        text = text[:start] + wanted + text[end:]
    if new:
        text = "\n".join([text.rstrip("\n"), *new]).lstrip("\n") + "\n"
    if parse_config(text, source="the edited text") != changed:
        raise ConfigError("the text does not say after the edit what it is to say.")
    return text, tuple(lost)


def fields_of(text: str) -> list[FieldText]:
    """
    The fields of the message itself, in order.

    Raises:
        ConfigError: If the text is not understood.
    """
    found: list[FieldText] = []
    at = _after_blank(text, 0)
    while at < len(text):
        name = _NAME.match(text, at)
        if name is None:
            raise ConfigError(f"no field begins at character {at} of the configuration.")
        end = _after_value(text, name.end())
        following = _after_blank(text, end)
        if following < len(text) and text[following] in _SEPARATORS:
            end = following + 1
        found.append(FieldText(name[0], at, end))
        at = _after_blank(text, end)
    return found


def _after_value(text: str, at: int) -> int:
    at = _after_blank(text, at)
    if text.startswith(":", at):
        at = _after_blank(text, at + 1)
    if at < len(text) and text[at] in _CLOSING:
        return _after_bracket(text, at)
    if (word := _WORD.match(text, at)) is not None:
        return word.end()
    start = end = at
    # Strings that follow each other are one.
    while (string := _STRING.match(text, at)) is not None:
        end = string.end()
        at = _after_blank(text, end)
    if end == start:
        raise ConfigError(f"no value begins at character {at} of the configuration.")
    return end


def _after_bracket(text: str, at: int) -> int:
    open_brackets: list[str] = []
    while at < len(text):
        letter = text[at]
        if letter in _CLOSING:
            open_brackets.append(_CLOSING[letter])
        elif open_brackets and letter == open_brackets[-1]:
            open_brackets.pop()
            if not open_brackets:
                return at + 1
        elif (string := _STRING.match(text, at)) is not None:
            at = string.end()
            continue
        elif letter == "#":
            at = _after_blank(text, at)
            continue
        at += 1
    raise ConfigError("a bracket of the configuration is not closed.")


def _after_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    assert blank is not None
    return blank.end()


def _comments(text: str) -> list[str]:
    without = _STRING.sub("", text)
    return [line.partition("#")[2].strip() for line in without.split("\n") if "#" in line]


def _with_its_line(text: str, place: FieldText) -> tuple[int, int]:
    """A field with the rest of its line, where nothing else stands there."""
    start = text.rfind("\n", 0, place.start) + 1
    end = text.find("\n", place.end) + 1 or len(text)
    alone = not text[start : place.start].strip() and not text[place.end : end].strip()
    return (start, end) if alone else (place.start, place.end)


def _only(config: ModelConfig, name: str) -> ModelConfig:
    """A config with one field of another."""
    found = type(config)()
    found.CopyFrom(config)
    for field, _ in config.ListFields():
        if field.name != name:
            found.ClearField(field.name)
    return found


def _rendered(config: ModelConfig, name: str) -> str:
    text: str = text_format.MessageToString(
        _only(config, name), as_utf8=True, use_short_repeated_primitives=True
    )
    # Text format drops zeros, and an absent line reads as "complete it for me".
    return text.rstrip("\n") or ("max_batch_size: 0" if name == "max_batch_size" else "")
