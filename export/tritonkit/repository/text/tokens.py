"""The words of protobuf's text format, cut as Triton's own parser cuts them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tritonkit.repository.text.fault import Flaw

__all__ = ["END", "FLOAT", "IDENTIFIER", "INTEGER", "MOST_TOKENS", "STRING", "SYMBOL", "Tokens"]

MOST_TOKENS = 500_000
"""What is read of a text: a configuration of more words is a megabyte and more."""

IDENTIFIER = "identifier"
INTEGER = "integer"
FLOAT = "float"
STRING = "string"
SYMBOL = "symbol"
END = "end"

# Every alternative takes what it can and never gives back: the time is linear in the text.
# A NUL ends a comment and a string, as it does in Triton's parser, which steps over control
# characters and says so.
_TOKEN = re.compile(
    r"""
      (?P<blank>(?:[ \t\n\r\v\f]++|\#[^\n\0]*+)++)
    | (?P<identifier>[A-Za-z_][A-Za-z0-9_]*+)
    | (?P<integer>0[xX][0-9a-fA-F]*+|0[0-9]++|[0-9]++(?![0-9.eEfF]))
    | (?P<float>(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][-+]?+[0-9]*+)?+[fF]?+)
    | (?P<string>"(?:[^"\\\n\0]++|\\[^\n\0]?+)*+"?+|'(?:[^'\\\n\0]++|\\[^\n\0]?+)*+'?+)
    | (?P<control>[\x00-\x08\x0e-\x1f]++)
    | (?P<symbol>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_LETTER = re.compile(r"[A-Za-z_]")
_NO_OCTAL = re.compile("[89]")
_FINE = re.compile(
    r"""(?:[^\\]++ | \\(?:[abfnrtv\\?'"] | [0-7] | x[0-9a-fA-F] | u[0-9a-fA-F]{4}
    | U00[01][0-9a-fA-F]{5}))*+""",
    re.DOTALL | re.VERBOSE,
)
_BAD_ESCAPE = re.compile(
    r"""
      (?P<hex>\\x)
    | (?P<short>\\u[0-9a-fA-F]{0,3})
    | (?P<long>\\U(?:0(?:0(?:[01][0-9a-fA-F]{0,4})?)?)?)
    | (?P<other>\\).?
    """,
    re.DOTALL | re.VERBOSE,
)
_ESCAPE_ERRORS = {
    "hex": "Expected hex digits for escape sequence.",
    "short": "Expected four hex digits for \\u escape sequence.",
    "long": "Expected eight hex digits up to 10ffff for \\U escape sequence",
    "other": "Invalid escape sequence in string literal.",
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """
    The tokens of a text, blanks and comments left out; the last is END.

    Args:
        text: What was cut.
        kinds: What each is.
        starts: Where each begins, as an index into the text.
        ends: Where it ends.
        controls: Where control characters stand, which belong in no text.
        whole: Whether all of the text was cut, or only its first MOST_TOKENS.
    """

    text: str
    kinds: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    controls: list[int] = field(default_factory=list)
    whole: bool = True

    @classmethod
    def of(cls, text: str) -> Tokens:
        """Cut *text*. No text is refused: what is no token is a symbol of one character."""
        kinds: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        controls: list[int] = []
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup
            if kind == "blank" or kind is None:
                continue
            if len(kinds) + len(controls) == MOST_TOKENS:
                break
            if kind == "control":
                controls.append(match.start())
                continue
            kinds.append(kind)
            starts.append(match.start())
            ends.append(match.end())
        whole = len(kinds) + len(controls) < MOST_TOKENS
        end = len(text) if whole else max([0, *ends[-1:], *controls[-1:]])
        return cls(text, [*kinds, END], [*starts, end], [*ends, end], controls, whole)

    def word(self, index: int) -> str:
        """The text of a token; that of END is empty."""
        return self.text[self.starts[index] : self.ends[index]]

    def errors(self) -> Iterator[Flaw]:
        """What is wrong with single tokens."""
        text = self.text
        for start in self.controls:
            triton = "Invalid control characters encountered in text."
            shown = repr(text[start])
            yield Flaw(f"control character {shown} is no text; remove it", start, triton, start)
        for kind, start, end in zip(self.kinds, self.starts, self.ends, strict=True):
            if kind in (INTEGER, FLOAT):
                yield from _number_errors(text, start, end, kind)
            elif kind == STRING:
                yield from _string_errors(text, start, end)
            elif kind == SYMBOL and text[start] > "\x7f":
                yield _not_ascii(text, start)


def _not_ascii(text: str, start: int) -> Flaw:
    symbol = text[start]
    byte = symbol.encode("utf-8", "surrogateescape")[0]
    if symbol == "\ufeff" and start == 0:
        message = "the text begins with a byte order mark; save it as UTF-8 without one"
    elif symbol in "\u201c\u201d\u2018\u2019":
        message = f"{symbol} is no quotation mark here; write \" or '"
    elif symbol.isspace():
        message = f"{symbol!a} is no blank here; write a space"
    elif "\udc80" <= symbol <= "\udcff":
        message = f"byte {byte:#04x} is no UTF-8 text, and stands outside quotes and comments"
    else:
        shown = symbol if symbol.isprintable() else ascii(symbol)
        message = f"{shown} stands outside quotes and comments; write ASCII there"
    return Flaw(message, start, f"Interpreting non ascii codepoint {byte}.", start)


def _number_errors(text: str, start: int, end: int, kind: str) -> Iterator[Flaw]:
    word = text[start : min(end, start + 2)].lower()
    if word == "0x" and end == start + 2:
        triton = '"0x" must be followed by hex digits.'
        yield Flaw("0x has no hex digits", start, triton, end)
    elif kind == INTEGER and word[0] == "0" and word != "0x":
        wrong = _NO_OCTAL.search(text, start, end)
        if wrong:
            triton = "Numbers starting with leading zero must be in octal."
            shown = text[start : min(end, start + 40)]
            yield Flaw(
                f"{shown} is octal, for its leading zero, but {wrong[0]} is no octal digit; "
                "write it without the zero",
                start,
                triton,
                wrong.start(),
            )
    elif kind == FLOAT and text[start:end].rstrip("fF")[-1:] in ("e", "E", "+", "-"):
        triton = '"e" must be followed by exponent.'
        shown = text[start : min(end, start + 40)]
        at = end - (text[end - 1] in "fF")
        yield Flaw(f"{shown} has no exponent", start, triton, at)
    if _LETTER.match(text, end):
        triton = "Need space between number and identifier."
        yield Flaw("a number is followed by a letter; put a blank between them", end, triton, end)
    elif text.startswith(".", end):
        triton = (
            "Already saw decimal point or exponent; can't have another one."
            if kind == FLOAT
            else "Hex and octal numbers must be integers."
        )
        yield Flaw("a number has a second point, or one after octal digits", end, triton, end)


def _string_errors(text: str, start: int, end: int) -> Iterator[Flaw]:
    at = start + 1
    while at < end:
        at = _end_of(_FINE, text, at, end)
        bad = _BAD_ESCAPE.match(text, at, end)
        if bad is None or bad.lastgroup is None:
            break
        message = f"{bad[0]} is no escape in text; write \\\\ for a backslash"
        yield Flaw(message, bad.start(), _ESCAPE_ERRORS[bad.lastgroup], bad.end(bad.lastgroup))
        at = bad.end()
    if not _is_closed(text, start, end):
        cut = text.startswith("\n", end)
        yield Flaw(
            f"text in quotes is not closed on its line; close it by {text[start]}",
            start,
            "String literals cannot cross line boundaries." if cut else "Unexpected end of string.",
            end,
        )


def _is_closed(text: str, start: int, end: int) -> bool:
    if end - start < 2 or text[end - 1] != text[start]:
        return False
    # An even number of backslashes before the quote escapes nothing.
    inner = text[start + 1 : end - 1]
    return (len(inner) - len(inner.rstrip("\\"))) % 2 == 0


def _end_of(pattern: re.Pattern[str], text: str, start: int, end: int) -> int:
    match = pattern.match(text, start, end)
    return match.end() if match else start
