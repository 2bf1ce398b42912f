"""From the tables of a file to the objects that Python would make, with all that is wrong."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from tritonkit.client.policy.findings import Finding, meant, one_of, quoted
from tritonkit.client.policy.kinds import FAMILIES
from tritonkit.client.policy.positions import Path, dotted
from tritonkit.client.policy.schema import (
    MISSING,
    Option,
    Schema,
    described,
    lists,
    members,
    schema_of,
)
from tritonkit.client.policy.schema import schema as read_schema
from tritonkit.client.policy.variables import SECRET, Variables
from tritonkit.errors import MissingExtra

__all__ = ["NONE", "Builder", "Invalid", "broken"]

NONE = "none"
"""Stands for Python's None, which TOML has no word for."""

_INTEGERS = range(-(2**63), 2**63)

_REFUSALS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)
"""What a constructor raises for an argument that it does not take; ConfigError is one of them."""


class Invalid:
    """Stands for an object that could not be made; why is among the findings."""


INVALID = Invalid()


class Builder:
    """
    Makes objects, and collects findings.

    Args:
        lines: By path, from `positions`.
        variables: Put into every text.
    """

    def __init__(self, lines: Mapping[Path, int], variables: Variables) -> None:
        self.findings: list[Finding] = []
        self._lines = lines
        self._variables = variables

    def find(self, path: Path, message: str) -> None:
        """Note what is wrong at *path*."""
        line = 0
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                line = self._lines[path[:length]]
                break
        finding = Finding(line=line, key=dotted(path), message=self._variables.hide(message))
        if finding not in self.findings:
            self.findings.append(finding)

    def value(self, value: Any, hint: Any, path: Path) -> Any:
        """*value* of the file as Python would give it; INVALID where it is wrong."""
        parts = members(hint)
        if isinstance(value, str):
            return self._text(value, hint, path)
        if isinstance(value, int) and value not in _INTEGERS:
            self.find(path, "must be an integer of 64 bits, as all are in TOML.")
            return INVALID
        if Any in parts:
            return self._anything(value, path)
        if isinstance(value, bool):
            fits = bool in parts
        elif isinstance(value, int):
            fits = int in parts or float in parts
        elif isinstance(value, float):
            fits = float in parts
        elif isinstance(value, list):
            return self._list(value, hint, path)
        elif isinstance(value, dict):
            return self._table(value, hint, path)
        else:
            fits = False
        return value if fits else self._wrong(value, hint, path)

    def make(
        self,
        table: Mapping[str, Any] | str,
        family: type,
        path: Path,
        *,
        beside: Sequence[str] = (),
    ) -> Any:
        """
        The object that a table, or a type by itself, describes.

        Args:
            table: Of the file.
            family: Of the object.
            path: Of the table.
            beside: Options that may stand in it and are not the object's.
        """
        named = (*path, "type")
        if isinstance(table, str):
            table, named = {"type": table}, path
        kinds = FAMILIES[family]
        name = table.get("type", next(iter(kinds)) if len(kinds) == 1 else None)
        if name is None:
            self.find(path, f"needs a type out of {one_of(list(kinds))}.")
            return INVALID
        kind = kinds.get(name) if isinstance(name, str) else None
        if kind is None:
            known = one_of(list(kinds))
            close = meant(name, kinds) if isinstance(name, str) else ""
            self.find(
                named,
                f"must be one of {known}, but got {quoted(name)}.{close}",
            )
            return INVALID
        try:
            described_by = read_schema(kind)
        except MissingExtra as error:
            self.find(path, str(error))
            return INVALID
        return self._constructed(table, described_by, path, beside)

    def of(
        self, made: type, table: Mapping[str, Any], path: Path, *, beside: Sequence[str] = ()
    ) -> Any:
        """
        The object of a class that no file names by a type.

        Args:
            made: Its class.
            table: Of the file: options of the constructor.
            path: Of the table.
            beside: Options that may stand in it and are not the object's.
        """
        return self._constructed(table, schema_of(made), path, beside)

    def _constructed(
        self, table: Mapping[str, Any], schema: Schema, path: Path, beside: Sequence[str]
    ) -> Any:
        given: dict[str, Any] = {}
        whole = True
        for key, value in table.items():
            if key == "type" and "type" not in schema.options:
                continue
            option = schema.options.get(key)
            if option is None:
                known = [*schema.names(), *beside]
                self.find(
                    (*path, key), f"is no option; there are {one_of(known)}.{meant(key, known)}"
                )
            elif not option.readable:
                self.find((*path, key), "can be given in Python only.")
            else:
                given[key] = self.value(value, option.hint, (*path, key))
        for option in schema.options.values():
            if option.default is MISSING and option.name not in given:
                whole = False
                self.find(path, f"needs {option.name}: {described(option.hint)}.")
        wrong = [key for key, value in given.items() if broken(value)]
        if any(schema.options[key].default is MISSING for key in wrong) or not whole:
            return INVALID
        # The others are tried without those that are wrong already.
        made = self._tried({k: v for k, v in given.items() if k not in wrong}, schema, path, wrong)
        return INVALID if wrong else made

    def _tried(
        self, given: dict[str, Any], schema: Schema, path: Path, wrong: Sequence[str]
    ) -> Any:
        """
        The object; each option that it refuses is a finding.

        A constructor stops at the first: it is told again without that, until it
        finds nothing more, or misses one that it was not told.

        Args:
            given: Options that could be read.
            schema: Of the constructor.
            path: Of the table.
            wrong: Options that could not, and were found already.
        """
        refused = False
        untold = list(wrong)
        while True:
            try:
                made = call(schema, given)
            except MissingExtra as error:
                self.find(path, str(error))
                return INVALID
            except _REFUSALS as error:
                refused = True
                guilty = _guilty(schema, given, error)
                if not any(re.search(rf"\b{name}\b", str(error)) for name in untold):
                    self.find(path if guilty is None else (*path, guilty), str(error))
                if guilty is None or schema.options[guilty].default is MISSING:
                    return INVALID
                untold.append(guilty)
                del given[guilty]
                continue
            return INVALID if refused else made

    def _text(self, value: str, hint: Any, path: Path) -> Any:
        expanded, missing = self._variables.expand(value)
        for name in missing:
            self.find(path, f"the environment has no variable {name!r}.")
        if missing:
            return INVALID
        parts = members(hint)
        if expanded == NONE and types.NoneType in parts:
            return None
        for part in parts:
            if typing.get_origin(part) is typing.Literal and expanded in typing.get_args(part):
                return expanded
        if str in parts or Any in parts:
            return expanded
        if bytes in parts:
            self._variables.secret(expanded)
            return expanded.encode(errors="surrogateescape")
        for part in parts:
            # A type by itself is an object with the defaults.
            if len(FAMILIES.get(part, ())) > 1:
                return self.make(value, part, path)
        return self._wrong(value, hint, path)

    def _list(self, value: list[Any], hint: Any, path: Path) -> Any:
        for part in members(hint):
            item = lists(part)
            if item is not None:
                return [self.value(v, item, (*path, i)) for i, v in enumerate(value)]
        return self._wrong(value, hint, path)

    def _table(self, value: dict[str, Any], hint: Any, path: Path) -> Any:
        for part in members(hint):
            if part in FAMILIES:
                return self.make(value, part, path)
        for part in members(hint):
            if (typing.get_origin(part) or part) in (Mapping, dict):
                names, inner = typing.get_args(part) or (str, str)
                return {
                    key: self.value(v, inner, (*path, key))
                    if self._named(key, names, (*path, key))
                    else INVALID
                    for key, v in value.items()
                }
        return self._wrong(value, hint, path)

    def _anything(self, value: Any, path: Path) -> Any:
        if isinstance(value, list):
            return [self.value(item, Any, (*path, i)) for i, item in enumerate(value)]
        if isinstance(value, dict):
            return {key: self.value(item, Any, (*path, key)) for key, item in value.items()}
        return value

    def _named(self, name: str, hint: Any, path: Path) -> bool:
        """Whether a key may be called so."""
        known = typing.get_args(hint)
        if typing.get_origin(hint) is not typing.Literal or name in known:
            return True
        self.find(path, f"must be one of {one_of(known)}.{meant(name, known)}")
        return False

    def _wrong(self, value: Any, hint: Any, path: Path) -> Invalid:
        shown = "another value" if set(path) & set(SECRET) else quoted(value)
        self.find(path, f"must be {described(hint)}, but got {shown}.")
        return INVALID


def call(schema: Schema, given: Mapping[str, Any]) -> Any:
    """Make the object as Python would: what is spread is spread."""
    spread = [option for option in schema.options.values() if option.spread]
    if not any(option.name in given for option in spread):
        return schema.made(**given)
    # What stands before *stores can be given by its place only.
    places, names = [], dict(given)
    for option in schema.options.values():
        if option.spread:
            places += names.pop(option.name)
            break
        places.append(names.pop(option.name, option.default))
    return schema.made(*places, **names)


def _guilty(schema: Schema, given: dict[str, Any], error: Exception) -> str | None:
    """The option that *error* is about; None where it is about none of them."""
    text = str(error)
    first = text.partition(" ")[0]
    if first in given:
        return first
    for name in given:
        if schema.options[name].default is not MISSING:
            rest = {key: value for key, value in given.items() if key != name}
            if _outcome(schema, rest) != text:
                return name
    mentioned: list[Option] = [o for o in schema.options.values() if o.name in given]
    return next((option.name for option in mentioned if option.name in text), None)


def _outcome(schema: Schema, given: dict[str, Any]) -> str:
    try:
        call(schema, given)
    except _REFUSALS as error:
        return str(error)
    return ""


def broken(value: Any) -> bool:
    """Whether there is an object in it that could not be made."""
    if isinstance(value, Invalid):
        return True
    if isinstance(value, list):
        return any(map(broken, value))
    return isinstance(value, dict) and any(map(broken, value.values()))
