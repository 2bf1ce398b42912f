"""Taking something out of a text."""

from __future__ import annotations

from tritonkit.errors import RepositoryError
from tritonkit.repository.text.document import Document
from tritonkit.repository.text.find import find
from tritonkit.repository.text.look import is_first_on_line, line_end, line_start
from tritonkit.repository.text.tree import Field, Value
from tritonkit.repository.text.walk import PathPart

__all__ = ["cut", "cut_field", "cut_values"]

_BLANK = " \t\r\v\f"


def cut(document: Document, path: tuple[PathPart, ...]) -> str:
    """
    The text without what stands at *path*.

    Raises:
        RepositoryError: If nothing stands there.
    """
    target = find(document, path)
    if target.missing or not target.values:
        raise RepositoryError(f"{document.source} has nothing at {'.'.join(map(str, path))}.")
    return cut_values(document.text, target.values)


def cut_values(text: str, values: tuple[tuple[Field, Value], ...]) -> str:
    """The text without these values, and without fields that have no other."""
    by_field: dict[int, tuple[Field, list[Value]]] = {}
    for field, value in values:
        by_field.setdefault(field.start, (field, []))[1].append(value)
    for _, (field, gone) in sorted(by_field.items(), reverse=True):
        if len(gone) == len(field.values):
            text = cut_field(text, field)
        else:
            left = list(field.values)
            for value in reversed(gone):
                text = _without_item(text, left, value)
    return text


def cut_field(text: str, field: Field) -> str:
    """The text without a field; a line that is blank then goes too, a comment stays."""
    start, end = field.start, field.end
    if is_first_on_line(text, start):
        rest = text[end : line_end(text, end)]
        if not rest.strip(_BLANK):
            start = line_start(text, start)
            end = min(line_end(text, end) + 1, len(text))
            return text[:start] + text[end:]
    if text[end : end + 1] in (" ", "\t"):
        end += 1
    elif start and text[start - 1] in " \t":
        start -= 1
    return text[:start] + text[end:]


def _without_item(text: str, left: list[Value], value: Value) -> str:
    """The text without one value of those that are left of a list, and without one comma."""
    at = next(index for index, each in enumerate(left) if each is value)
    del left[at]
    start, end = value.start, value.end
    if at < len(left):
        # The comma behind it; between them may stand comments, which stay.
        comma = _comma(text, end)
        end_of_comma = comma + 1
        if not text[end:comma].strip():
            end = end_of_comma
            if text[end : end + 1] in (" ", "\t"):
                end += 1
        else:
            text = text[:comma] + text[end_of_comma:]
        if is_first_on_line(text, start) and not text[end : line_end(text, end)].strip():
            start, end = line_start(text, start), min(line_end(text, end) + 1, len(text))
        return text[:start] + text[end:]
    before = left[at - 1].end
    comma = _comma(text, before)
    if not text[comma + 1 : start].strip():
        return text[:comma] + text[end:]
    return text[:comma] + text[comma + 1 : start] + text[end:]


def _comma(text: str, start: int) -> int:
    """The next comma that is in no comment."""
    while text[start] != ",":
        start = line_end(text, start) if text[start] == "#" else start + 1
    return start
