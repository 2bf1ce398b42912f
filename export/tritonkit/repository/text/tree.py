"""The tree of a text: fields, values and blocks, each with where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Block", "Field", "ListError", "Scalar", "Value"]


@dataclass(slots=True)
class Scalar:
    """
    A number, word or string; strings that follow one another are one.

    So is a minus with nothing behind it that could have one: its token is what follows,
    which is no part of it.

    Args:
        kind: Kind of its token (`tokens.INTEGER` and so on), without its sign.
        start: Where it begins, its sign included.
        end: Where it ends.
        negative: Whether a minus stands before it.
        parts: Start and end of each token: one, or several strings.
        following: Where the next token begins.
    """

    kind: str
    start: int
    end: int
    negative: bool
    parts: tuple[tuple[int, int], ...]
    following: int


@dataclass(slots=True)
class Block:
    """
    The fields of a message, in braces or, at the top, in none.

    Args:
        start: Where its opening brace stands.
        end: Past its closing brace, or where it was given up.
        inner_end: Where the closing brace stands, or where the fields end.
        closed: Whether a closing brace was found.
        index: Its values by the names of their fields, once they were asked for.
        keys: The entries of its maps by their keys, once they were asked for.
    """

    start: int
    end: int = -1
    inner_end: int = -1
    closed: bool = False
    fields: list[Field] = field(default_factory=list)
    index: dict[str, list[tuple[Field, Value]]] | None = None
    keys: dict[str, dict[str | int, list[tuple[Field, Value]]]] | None = None


Value: TypeAlias = Scalar | Block


@dataclass(slots=True)
class ListError:
    """
    What is wrong between the values of a list.

    Args:
        offset: Where.
        found: The token that stood there, or behind the comma that should not.
        expected: ",", "]", "value", or "no comma".
        triton_offset: Where that token stands.
        due: Whether a value must follow there, behind a bracket or a comma.
    """

    offset: int
    found: str
    expected: str
    triton_offset: int
    due: bool = False


@dataclass(slots=True)
class Field:
    """
    A name and its value, or the values of a list in brackets.

    Args:
        name: As written; "[x.y]" for an extension.
        start: Where the name begins.
        name_end: Past the name.
        colon: Where the colon stands; -1 where there is none.
        equals: Whether that is no colon but "=".
        after: Where the first token after the name, and the colon, stands.
        found: That token, where it begins no value.
        following: Where the token behind that one stands.
        values: One, or those of a list; none where the value is missing.
        bracket: Where the list's opening bracket stands; -1 where it is no list.
        value_end: Past the value, or the list's closing bracket.
        end: Past the separator that follows, where one does.
        list_errors: What is wrong in the list.
    """

    name: str
    start: int
    name_end: int
    colon: int = -1
    equals: bool = False
    after: int = -1
    found: str = ""
    following: int = -1
    values: list[Value] = field(default_factory=list)
    bracket: int = -1
    value_end: int = -1
    end: int = -1
    list_errors: list[ListError] = field(default_factory=list)
