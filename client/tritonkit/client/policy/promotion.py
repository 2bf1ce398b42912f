"""A policy file without an experiment: its split replaced by one of the arms."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from tritonkit.client.policy.findings import one_of
from tritonkit.client.policy.positions import Part, Path, parts
from tritonkit.errors import ConfigError

__all__ = ["promoted"]

_ARMS = re.compile(
    r"""(\[+[ \t]*(?:layers|"layers"|'layers')[ \t]*\.[ \t]*)(?:arms|"arms"|'arms')"""
)


def promoted(text: str, experiment: str, arm: str) -> str:
    """
    The text of a policy in which *arm* answers everybody, and the experiment is gone.

    An arm that is no more than a name leaves nothing behind. Another one becomes the
    only route of `tiers`, with what it had. Everything else stays as it is written,
    and so do comments on lines of their own.

    Raises:
        ConfigError: If the text is no TOML, has no such experiment or arm, or it cannot be
            told apart from the rest.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the policy is no TOML: {error}.") from error
    place, layer = _found(document, experiment)
    arms = layer.get("arms", [])
    names = [str(entry.get("name")) for entry in arms if isinstance(entry, Mapping)]
    if arm not in names:
        raise ConfigError(f"arm must be one of {one_of(names)}, but got {arm!r}.")
    if "models" in layer:
        raise ConfigError(
            f"experiment {experiment!r} is for some models only, which no other layer is; promote "
            "it with --now, or write the routes by hand."
        )
    number = names.index(arm)
    route = {key: value for key, value in arms[number].items() if key != "weight"}
    bare = set(route) == {"name"}
    made = _without(text, place) if bare else _rewritten(text, place, number)
    layers = list(document["layers"])
    layers[place : place + 1] = [] if bare else [{"type": "tiers", "routes": [route]}]
    wanted = {**document, "layers": layers}
    if not layers:
        del wanted["layers"]
    if _loaded(made) != wanted:
        raise ConfigError(
            f"experiment {experiment!r} is written in a way that cannot be edited; write its "
            "layer as [[layers]] with a key on each line, or edit it by hand."
        )
    return made


def _found(document: Mapping[str, Any], experiment: str) -> tuple[int, Mapping[str, Any]]:
    layers = document.get("layers", [])
    splits = {
        str(layer.get("experiment")): (place, layer)
        for place, layer in enumerate(layers)
        if isinstance(layer, Mapping) and layer.get("type") == "split"
    }
    if experiment not in splits:
        known = f"there are {one_of(list(splits))}" if splits else "there is no split"
        raise ConfigError(f"the policy's layers have no experiment {experiment!r}; {known}.")
    return splits[experiment]


def _loaded(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _statements(text: str) -> Iterator[Part]:
    """Headers and pairs on lines of their own, not what is inside of a value."""
    end = 0
    for part in parts(text):
        if part.begin >= end:
            end = part.end
            yield part


def _without(text: str, place: int) -> str:
    cuts = [_line(text, part) for part in _statements(text) if part.path[:2] == ("layers", place)]
    return _cut(text, dict.fromkeys(cuts, ""))


def _rewritten(text: str, place: int, number: int) -> str:
    """The layer with its other options and arms cut, and this arm as a route."""
    edits: dict[tuple[int, int], str] = {}
    every = parts(text)
    for part in _statements(text):
        if part.path[:2] != ("layers", place):
            continue
        rest = part.path[2:]
        if not rest:
            continue
        if rest == ("type",):
            edits[part.begin, part.end] = 'type = "tiers"'
        elif rest == ("arms",):
            item = (*part.path, number)
            edits[part.begin, part.end] = f"routes = [{_item(text, every, item)}]"
        elif rest[:2] == ("arms", number) and rest[2:] != ("weight",):
            if part.kind == "header":
                header = text[part.begin : part.end]
                edits[part.begin, part.end] = _ARMS.sub(r"\1routes", header)
        else:
            edits[_line(text, part)] = ""
    return _cut(text, edits)


def _item(text: str, every: list[Part], path: Path) -> str:
    """An inline table as it is written, without its weight."""
    pairs = [
        text[part.begin : part.end]
        for part in every
        if part.kind == "pair" and part.path[:-1] == path and part.path[-1] != "weight"
    ]
    return f"{{ {', '.join(pairs)} }}"


def _line(text: str, part: Part) -> tuple[int, int]:
    """All of the lines of a statement, with a comment behind it."""
    begin = text.rfind("\n", 0, part.begin) + 1
    end = text.find("\n", part.end)
    return begin, len(text) if end < 0 else end + 1


def _cut(text: str, edits: Mapping[tuple[int, int], str]) -> str:
    for (begin, end), new in sorted(edits.items(), reverse=True):
        text = text[:begin] + new + text[end:]
    return text
