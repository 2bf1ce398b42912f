"""What a policy does, in words: the stack, and what becomes of a request in each case."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tritonkit.client.policy.kind import CASES, Case, Kind
from tritonkit.client.policy.kinds import FAMILIES
from tritonkit.client.policy.policy import Policy
from tritonkit.client.policy.schema import MISSING, Option, lists, members, schema
from tritonkit.client.policy.variables import SECRET, shown
from tritonkit.client.stack import Layer, Transport

__all__ = ["explain"]

_FAILURES = ("server down", "too slow", "invalid input")
"""What the innermost part meets first."""


@dataclass
class _Part:
    """An object of a policy, and those within it."""

    label: str
    kind: Kind
    family: type
    options: Mapping[str, Option]
    given: dict[str, Any]
    parts: list[_Part] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    """Options whose values are among the parts."""

    def all(self, speaker: str = "") -> Iterator[tuple[str, _Part]]:
        """All of them, and who speaks for each: stores and routes do not for themselves."""
        if self.family in (Layer, Transport):
            speaker = self.label
        yield speaker, self
        for part in self.parts:
            yield from part.all(speaker)


def explain(policy: Policy) -> str:
    """
    The stack from the outside in, and what happens to a request.

    Each part is shown with those of its options that are not the default.
    """
    parts = [
        _part(table, Layer, f"{number}")
        for number, table in enumerate(policy.document.get("layers", []), 1)
    ]
    server = policy.document["server"]
    if isinstance(server, str):
        kind = "grpc" if server.startswith("grpc") else "http"
        server = {"type": kind, "url": server}
    elif isinstance(server, list):
        server = {"type": "endpoints", "servers": server}
    parts.append(_part(server, Transport, ""))
    lines = [f"{policy.name}: from the outside in", ""]
    for part in parts:
        lines += _drawn(part, 0)
    cases = list(_cases(parts))
    for situation, title in CASES.items():
        found = [(label, text) for label, case, text in cases if case.situation == situation]
        if found:
            lines += ["", f"{title}:"]
            lines += [f"  {label}: {text}." for label, text in dict.fromkeys(found)]
    return "\n".join(lines)


def _part(value: Any, family: type, label: str) -> _Part:
    table = value if isinstance(value, dict) else {"type": value}
    kinds = FAMILIES[family]
    name = str(table.get("type", next(iter(kinds))))
    kind = kinds[name]
    options = schema(kind).options
    given = {key: item for key, item in table.items() if key in options}
    title = f"{label}. {name}" if family is Layer else name
    if "name" in given and name in ("route", "arm"):
        title = f"{name} {given.pop('name')!r}"
    part = _Part(title, kind, family, options, {})
    for key, item in given.items():
        inner = _family(options[key].hint, item)
        if inner is None:
            if item != options[key].default:
                part.given[key] = item
            continue
        if isinstance(item, list):
            nested = [_part(one, inner, f"{label}.{n}") for n, one in enumerate(item, 1)]
        else:
            nested = [_part(item, inner, label)]
            nested[0].label = f"{key}: {nested[0].label}"
        part.parts += nested
        part.made.add(key)
    return part


def _family(hint: Any, value: Any) -> type | None:
    """Of the objects that *value* stands for; None for a plain value."""
    for kind in members(hint):
        if isinstance(value, list):
            item = lists(kind)
            found = None if item is None or not value else _family(item, value[0])
            if found is not None:
                return found
        elif kind in FAMILIES and (isinstance(value, dict) or str not in members(hint)):
            family: type = kind
            return family
    return None


def _drawn(part: _Part, depth: int) -> list[str]:
    options = [f"{key} = {_value(key, value)}" for key, value in part.given.items()]
    lines = [f"{'     ' * depth}{part.label:<18} {', '.join(options)}".rstrip()]
    for inner in part.parts:
        lines += _drawn(inner, depth + 1)
    return lines


def _value(key: str, value: Any) -> str:
    """As it would stand in TOML."""
    if key in SECRET:
        return '"***"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(shown(value), ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(_value('', item) for item in value)}]"
    if isinstance(value, dict):
        pairs = ", ".join(f"{name} = {_value(name, item)}" for name, item in value.items())
        return f"{{ {pairs} }}"
    return str(value)


def _cases(parts: list[_Part]) -> Iterator[tuple[str, Case, str]]:
    """What each part has to say; of failures the innermost first, as they travel."""
    by_speaker: dict[str, list[_Part]] = {}
    for outer in parts:
        for label, part in outer.all():
            by_speaker.setdefault(label, []).append(part)
    for failures in (False, True):
        labels = list(by_speaker)
        for label in reversed(labels) if failures else labels:
            for part in by_speaker[label]:
                values = _Values(part)
                for case in part.kind.cases:
                    if (case.situation in _FAILURES) is failures and values.meets(case.when):
                        yield label, case, case.text.format_map(values)


class _Values(dict[str, str]):
    """The options of a part as words, defaults included."""

    def __init__(self, part: _Part) -> None:
        super().__init__()
        self._part = part

    def meets(self, when: str) -> bool:
        """Whether an option is set, or with a "!" before it not."""
        value = self._of(when.removeprefix("!"))
        unset = value is None or value is False or value in ((), "", "none")
        return not when or unset is when.startswith("!")

    def __missing__(self, key: str) -> str:
        value = self._of(key)
        if value is None or value == "none":
            return "no limit"
        if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
            durations = timedelta in members(self._part.options[key].hint)
            return f"{value}s" if durations else str(value)
        return shown(str(value))

    def _of(self, key: str) -> Any:
        if key in self._part.made:
            return True
        if key in self._part.given:
            return self._part.given[key]
        option = self._part.options.get(key)
        return None if option is None or option.default is MISSING else option.default
