"""Tokens to a tree, whatever they are: what does not fit is noted and stepped over."""

from __future__ import annotations

from tritonkit.repository.text.fault import MOST_FLAWS, Flaw
from tritonkit.repository.text.tokens import END, FLOAT, IDENTIFIER, INTEGER, STRING, SYMBOL, Tokens
from tritonkit.repository.text.tree import Block, Field, ListError, Scalar

__all__ = ["DEEPEST", "parse_tree"]

DEEPEST = 100
"""How deep blocks may nest; a ModelConfig's own go seven deep."""

_CLOSING = {"{": "}", "<": ">"}
_WORDS = (INTEGER, FLOAT, STRING, IDENTIFIER)


def parse_tree(tokens: Tokens) -> tuple[Block, list[Flaw]]:
    """
    The tree of a text, and what its grammar is wrong with.

    It looks at no field's type. Time and memory are linear in the tokens, and no
    nesting is too deep for the stack.
    """
    return _Grammar(tokens).parse()


class _Grammar:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._kinds = tokens.kinds
        self._starts = tokens.starts
        self._at = 0
        self._flaws: list[Flaw] = []
        self._root = Block(start=0)
        # The token that is wrong for a field, which is no second flaw.
        self._told = -1
        self._given_up = not tokens.whole
        # Blocks that are open, outermost first, with the brace of each; of a list that
        # is open in one, the field.
        self._open: list[tuple[Block, Field | None, str]] = [(self._root, None, "")]
        self._list: list[Field | None] = [None]

    def parse(self) -> tuple[Block, list[Flaw]]:
        while self._kinds[self._at] != END:
            if len(self._open) > DEEPEST:
                self._flaw(f"blocks are nested more than {DEEPEST} deep; the rest is not read")
                self._given_up = True
                break
            if self._list[-1] is not None:
                self._item(self._list[-1])
            else:
                self._field()
        self._finish()
        return self._root, self._flaws

    def _field(self) -> None:
        """One field, or the end of the block."""
        kind, word = self._kinds[self._at], self._word()
        if kind == IDENTIFIER:
            self._named(Field(word, self._start(), self._end()))
            self._at += 1
        elif kind == SYMBOL and word in "}>":
            self._close(word)
            return
        elif kind == SYMBOL and word == "[" and self._extension():
            pass
        else:
            self._skip(word)
            return
        self._value()

    def _named(self, field: Field) -> None:
        self._open[-1][0].fields.append(field)

    def _value(self) -> None:
        field = self._open[-1][0].fields[-1]
        word = self._word()
        if self._is(":="):
            field.colon = self._start()
            field.equals = word == "="
            self._at += 1
        field.after = self._start()
        word = self._word()
        if self._is("{<"):
            self._push(field, word)
        elif self._is("["):
            field.bracket = self._start()
            self._at += 1
            self._list[-1] = field
        elif (scalar := self._scalar(field)) is not None:
            field.values.append(scalar)
            field.value_end = scalar.end
            self._separator(field)
        else:
            # What the field's type asks for here is not the grammar's to say.
            field.found = word
            field.following = self._starts[min(self._at + 1, len(self._starts) - 1)]
            self._told = self._at
            field.value_end = field.end = field.name_end if field.colon < 0 else field.colon + 1

    def _scalar(self, field: Field) -> Scalar | None:
        kinds, at = self._kinds, self._at
        start = self._start()
        negative = kinds[at] == SYMBOL and self._word() == "-"
        if negative:
            at += 1
        kind = kinds[at]
        if kind not in _WORDS:
            return self._sign(at) if negative else None
        if kind == IDENTIFIER and self._is_name(at) and not negative:
            # The next field: this one's value is missing.
            return None
        last = at
        if kind == STRING:
            while kinds[last + 1] == STRING:
                last += 1
        starts, ends = self._starts, self._tokens.ends
        self._at = last + 1
        parts = tuple((starts[index], ends[index]) for index in range(at, last + 1))
        return Scalar(kind, start, ends[last], negative, parts, starts[last + 1])

    def _sign(self, at: int) -> Scalar:
        """A minus alone."""
        start, end = self._start(), self._end()
        following = self._starts[at]
        self._at = self._told = at
        token = ((following, self._tokens.ends[at]),)
        return Scalar(self._kinds[at], start, end, True, token, following)

    def _item(self, field: Field) -> None:
        """One value of a list, or its end."""
        kind, word = self._kinds[self._at], self._word()
        if kind == SYMBOL and word == "]":
            self._at += 1
            self._end_list(field, closed=True)
        elif kind == SYMBOL and word in _CLOSING:
            self._push(field, word)
        elif kind == IDENTIFIER and self._is_name(self._at) and not field.values:
            self._missing(field, "{", word)
            self._push_bare(field)
        elif (kind == IDENTIFIER and self._is_name(self._at)) or (kind == SYMBOL and word in "}>"):
            self._missing(field, "]", word)
            self._end_list(field, closed=False)
        elif (scalar := self._scalar(field)) is not None:
            field.values.append(scalar)
            self._comma(field)
        else:
            self._missing(field, "value", word)
            self._at += 1

    def _missing(self, field: Field, expected: str, found: str) -> None:
        """What should stand here in a list, before what does."""
        due = not field.values or self._tokens.word(self._at - 1) == ","
        start = self._start()
        field.list_errors.append(ListError(start, found, expected, start, due))

    def _comma(self, field: Field) -> None:
        """What follows a value of a list."""
        kind, word = self._kinds[self._at], self._word()
        if kind == SYMBOL and word == ",":
            comma = self._start()
            self._at += 1
            if self._is("]"):
                at = self._start()
                field.list_errors.append(ListError(comma, "]", "no comma", at, due=True))
        elif not (kind == SYMBOL and word in ("]", "}", ">")) and kind != END:
            if self._at == self._told or (kind == IDENTIFIER and self._is_name(self._at)):
                return
            self._missing(field, ",", word)
            if kind == SYMBOL and word == ";":
                self._at += 1

    def _end_list(self, field: Field, *, closed: bool) -> None:
        self._list[-1] = None
        field.value_end = self._tokens.ends[self._at - 1]
        if closed:
            self._separator(field)
        else:
            field.end = field.value_end

    def _push(self, field: Field | None, brace: str) -> None:
        block = Block(start=self._start())
        if field is not None:
            field.values.append(block)
        self._open.append((block, field, brace))
        self._list.append(None)
        self._at += 1

    def _push_bare(self, field: Field) -> None:
        """Fields in a list without braces, as if they stood in some."""
        block = Block(start=self._start(), closed=True)
        field.values.append(block)
        self._open.append((block, field, ""))
        self._list.append(None)

    def _close(self, word: str) -> None:
        if len(self._open) == 1:
            if self._at != self._told:
                self._flaw(
                    f"'{word}' closes nothing; remove it, or open a block before it",
                    f"Expected identifier, got: {word}",
                )
            self._at += 1
            return
        if not self._open[-1][2]:
            # Of fields in a list without braces; the list ends with them.
            self._unclosed_item()
            return
        block, field, brace = self._open.pop()
        self._list.pop()
        if word != _CLOSING[brace]:
            right = _CLOSING[brace]
            self._flaw(
                f"'{brace}' is closed by '{word}'; close it by '{right}'",
                f'Expected "{right}", found "{word}".',
            )
        block.inner_end, block.closed = self._start(), True
        block.end = self._end()
        self._at += 1
        self._after_block(block, field)

    def _after_block(self, block: Block, field: Field | None) -> None:
        if field is None:
            return
        if self._list[-1] is field:
            self._comma(field)
        else:
            field.value_end = block.end
            self._separator(field)

    def _separator(self, field: Field) -> None:
        field.end = field.value_end
        if self._is(";,"):
            field.end = self._end()
            self._at += 1

    def _extension(self) -> bool:
        """The name of an extension, in brackets."""
        at, kinds = self._at, self._kinds
        while kinds[at + 1] == IDENTIFIER:
            at += 2
            if kinds[at] != SYMBOL or self._tokens.word(at) not in (".", "/", "-"):
                break
        if at == self._at or kinds[at] != SYMBOL or self._tokens.word(at) != "]":
            return False
        start, end = self._start(), self._tokens.ends[at]
        self._named(Field("".join(map(self._tokens.word, range(self._at, at + 1))), start, end))
        self._at = at + 1
        return True

    def _skip(self, word: str) -> None:
        """Step over what begins no field, up to what may."""
        if word == "]" and len(self._open) > 1 and self._list[-2] is not None:
            self._unclosed_item()
            return
        if self._at != self._told:
            self._flaw(self._wrong_start(word), *self._expected(word))
        while True:
            kind, word = self._kinds[self._at], self._word()
            if kind == SYMBOL and word in _CLOSING:
                self._push(None, word)
                return
            self._at += 1
            kind, word = self._kinds[self._at], self._word()
            if kind == END or (kind == IDENTIFIER and self._is_name(self._at)):
                return
            if kind == SYMBOL and word in "}>" and len(self._open) > 1:
                return

    def _expected(self, word: str) -> tuple[str, int]:
        """What Triton says of what begins no field, and where."""
        at, kinds = self._at, self._kinds
        if word == "[":
            # It takes it for the name of an extension.
            at += 1
            while kinds[at] == IDENTIFIER:
                at += 1
                if kinds[at] != SYMBOL or self._tokens.word(at) != ".":
                    return f'Expected "]", found "{self._tokens.word(at)}".', self._starts[at]
                at += 1
        return f"Expected identifier, got: {self._tokens.word(at)}", self._starts[at]

    def _wrong_start(self, word: str) -> str:
        if self._kinds[self._at] == STRING and self._is_name(self._at):
            return f"a field's name stands without quotes; write {word[1:-1]}: ..."
        if word == "/":
            return "a comment begins with '#'"
        if word in (",", ";"):
            return f"'{word}' separates nothing here; remove it"
        return f"a field's name is expected here, but got {_quoted(word)}"

    def _unclosed_item(self) -> None:
        """A list ends in the middle of one of its blocks."""
        block, _, brace = self._open.pop()
        self._list.pop()
        if brace:
            right = _CLOSING[brace]
            self._flaw(f"a '{right}' is missing before ']'", "Expected identifier, got: ]")
        block.inner_end = block.end = self._start()
        block.closed = True

    def _finish(self) -> None:
        end = self._start()
        for block, field, _ in reversed(self._open[1:]):
            block.end = block.inner_end = end
            if field is not None:
                field.value_end = field.end = end
            if field is None or self._given_up:
                # What is not closed elsewhere, the fields' types tell better.
                block.closed = True
        for field in filter(None, self._list):
            field.value_end = field.end = end
            if not self._given_up:
                self._missing(field, "]", "")
        self._root.end = self._root.inner_end = len(self._tokens.text)

    def _is(self, symbols: str) -> bool:
        """Whether one of *symbols* stands here."""
        return self._kinds[self._at] == SYMBOL and self._word() in symbols

    def _is_name(self, at: int) -> bool:
        """Whether the word at *at* is a field's name, by what follows."""
        return self._kinds[at + 1] == SYMBOL and self._tokens.word(at + 1) in ":{<[="

    def _flaw(self, message: str, triton: str = "", triton_offset: int | None = None) -> None:
        if len(self._flaws) <= MOST_FLAWS:
            start = self._start()
            at = start if triton_offset is None else triton_offset
            self._flaws.append(Flaw(message, start, triton, at))

    def _word(self) -> str:
        return self._tokens.word(self._at)

    def _start(self) -> int:
        return self._starts[self._at]

    def _end(self) -> int:
        return self._tokens.ends[self._at]


def _quoted(word: str) -> str:
    shown = word if len(word) <= 40 else f"{word[:37]}..."
    return f"'{shown}'"
