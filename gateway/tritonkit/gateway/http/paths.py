"""
What a target names, decided once and for all.

Only what is in this table goes on to a Triton, and under the path that is rendered here from
its parts, never as it came: no encoding, doubled slash or case leads anywhere else.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import quote, unquote_to_bytes

__all__ = ["Kind", "Place", "place"]

Kind: TypeAlias = Literal[
    "live", "ready", "infer", "generate", "read", "admin", "model ready", "app", "unknown", "wrong"
]
"""What is done with a target; "app" is for the routes beside the protocol."""

_KNOWN = 256
"""Bytes of a target that is remembered."""


class Place(NamedTuple):
    """
    A target, taken apart.

    Args:
        kind: What it is.
        path: As it goes to a Triton, quoted.
        model: That it names; empty where it names none.
        version: Of the model.
        query: As it came.
        reason: What is wrong with it, where *kind* is "wrong".
    """

    kind: Kind
    path: str = ""
    model: str = ""
    version: str = ""
    query: str = ""
    reason: str = ""


def place(target: bytes) -> Place:
    """What *target* names, a path with a query as it came."""
    return _cached(target) if len(target) <= _KNOWN else _place(target)


def _place(target: bytes) -> Place:
    path, _, query = target.partition(b"?")
    if not path.startswith(b"/"):
        return Place("wrong", reason="the target must be a path")
    if b"#" in target or not target.isascii() or any(c <= 32 or c == 127 for c in target):
        return Place("wrong", reason="the target must be printable ASCII")
    asked = query.decode()
    parts = path[1:].split(b"/")
    names = []
    for part in parts:
        try:
            name = unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            return Place("wrong", reason="the path is not UTF-8")
        names.append(name)
    ours = names[0].casefold().strip() == "v2"
    if ours and any(_tricky(name) for name in names):
        # Triton has no such path. One that reads it otherwise must not see it.
        return Place("wrong", reason="the path has an empty part, a dot or a slash as a part")
    if not ours:
        return Place("app", path.decode(), query=asked)
    return _of_triton(names)._replace(query=asked)


_cached = lru_cache(maxsize=2048)(_place)


def _tricky(name: str) -> bool:
    return (
        not name
        or name in (".", "..")
        or "/" in name
        or "\\" in name
        or any(ord(c) < 32 or ord(c) == 127 for c in name)
    )


def _of_triton(names: list[str]) -> Place:
    path = "/" + "/".join(quote(name, safe="") for name in names)
    match names:
        case ["v2"]:
            return Place("read", path)
        case ["v2", "health", "live"]:
            return Place("live", path)
        case ["v2", "health", "ready"]:
            return Place("ready", path)
        case ["v2", "models", "stats"]:
            return Place("read", path)
        case ["v2", "models", model]:
            return Place("read", path, model)
        case ["v2", "models", model, "versions", version]:
            return Place("read", path, model, version)
        case ["v2", "models", model, "versions", version, *rest]:
            return _of_model(path, model, version, rest)
        case ["v2", "models", model, *rest]:
            return _of_model(path, model, "", rest)
        case ["v2", "repository", "index"]:
            return Place("read", path)
        case ["v2", "repository", "models", model, "load" | "unload"]:
            return Place("admin", path, model)
        case ["v2", "trace", "setting"] | ["v2", "logging"]:
            return Place("admin", path)
        case ["v2", "systemsharedmemory" | "cudasharedmemory", *rest]:
            if rest in (["status"], ["register"], ["unregister"]):
                return Place("admin", path)
            if len(rest) == 3 and rest[0] == "region":
                return Place("admin", path)
    return Place("unknown", path)


def _of_model(path: str, model: str, version: str, rest: list[str]) -> Place:
    match rest:
        case ["infer"]:
            return Place("infer", path, model, version)
        case ["generate" | "generate_stream"]:
            return Place("generate", path, model, version)
        case ["ready"]:
            return Place("model ready", path, model, version)
        case ["config" | "stats"]:
            return Place("read", path, model, version)
        case ["trace", "setting"]:
            return Place("admin", path, model, version)
    return Place("unknown", path)
