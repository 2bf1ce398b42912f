"""
Edits of a text that keep its comments, its order and the look of what they do not touch.

Every edit is proved: the text that comes out is read, and must mean what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from tritonkit.errors import RepositoryError
from tritonkit.repository.text.cut import cut
from tritonkit.repository.text.document import Document
from tritonkit.repository.text.intent import with_field, with_value, without
from tritonkit.repository.text.put import put_field, put_value
from tritonkit.repository.text.walk import PathPart

__all__ = ["AddField", "Edit", "Path", "Remove", "SetValue", "edited"]

Path: TypeAlias = tuple[PathPart, ...]
"""Where in the configuration, as `Document.place` takes it."""


@dataclass(frozen=True, slots=True)
class SetValue:
    """
    Give a field a value, whether or not it has one.

    Args:
        path: A scalar field, one number of a repeated one, or all of it; a key of a map
            that is not there yet is added, and so are blocks around the field.
        literal: As it stands in a text: `8`, `"x"`, `TYPE_FP32`, `[ -1, 16 ]`.
    """

    path: Path
    literal: str


@dataclass(frozen=True, slots=True)
class AddField:
    """
    Put a field, or several, behind those of a block.

    Args:
        parent: The block: () for the whole text, ("input", 0), ("dynamic_batching",).
        text: The fields as they stand in a text: `input { name: "x" }`.
    """

    parent: Path
    text: str


@dataclass(frozen=True, slots=True)
class Remove:
    """
    Take something out.

    Args:
        path: A field, a number of a repeated one, or a key of a map.
    """

    path: Path


Edit: TypeAlias = SetValue | AddField | Remove


def edited(document: Document, edits: Iterable[Edit]) -> Document:
    """
    The text after *edits*, in their order.

    Raises:
        RepositoryError: If the document has faults, a path is not in it, a literal is no
            value of its field, or the text would not mean what is asked for.
    """
    for edit in edits:
        document = _edited(document, edit)
    return document


def _edited(document: Document, edit: Edit) -> Document:
    config = document.checked()
    if isinstance(edit, SetValue):
        meant = with_value(config, edit.path, edit.literal)
        text = put_value(document, edit.path, edit.literal)
    elif isinstance(edit, AddField):
        meant = with_field(config, edit.parent, edit.text)
        text = put_field(document, edit.parent, edit.text)
    else:
        meant = without(config, edit.path)
        text = cut(document, edit.path)
    after = Document.parse(text, source=document.source)
    if after.config != meant:
        raise RepositoryError(
            f"{document.source} cannot be edited: {edit} would not mean what it says; "
            "edit it by hand."
        )
    return after
