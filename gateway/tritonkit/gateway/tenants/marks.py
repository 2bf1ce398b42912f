"""What a caller says of its request in headers of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration

__all__ = ["MAX_TAGS", "PLAIN", "RESERVED", "Marks", "check_tags", "marks"]

TAGS = b"x-tritonkit-tags"
PRIORITY = b"x-tritonkit-priority"
TIMEOUT = b"x-tritonkit-timeout"

RESERVED = ("tenant", "purse")
"""Tags that say who pays; the gateway's own and the budget's."""

MAX_TAGS = 16
MAX_VALUE = 128
MAX_HEADER = 2_048
"""Bytes of a header of tags; most are a user's name."""

MAX_TIMEOUT = 24 * 3600.0
"""Seconds: whoever would wait for longer wants a job."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Marks:
    """
    Args:
        tags: Besides the tenant's own.
        priority: "live" or "batch". The others are the layers' own, and paid from other purses.
        timeout: In seconds; None where nothing is said.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    priority: Literal["live", "batch"] | None = None
    timeout: float | None = None


PLAIN = Marks()
"""Of a request without any of the headers."""


def marks(headers: Mapping[bytes, bytes], owned: Mapping[str, str]) -> Marks:
    """
    Read them.

    Args:
        headers: By name in lower case.
        owned: Tags of the tenant, which no caller may set.

    Raises:
        ConfigError: If one is wrong; says what would be right.
    """
    tags, priority, timeout = headers.get(TAGS), headers.get(PRIORITY), headers.get(TIMEOUT)
    if tags is None and priority is None and timeout is None:
        return PLAIN
    return Marks(
        {} if tags is None else _tags(tags, owned),
        None if priority is None else _priority(priority),
        None if timeout is None else _timeout(timeout),
    )


def check_tags(tags: Mapping[str, str], *, where: str = "tags") -> None:
    """
    Whether a request may carry them.

    Raises:
        ConfigError: If a name or a value is wrong, or there are too many.
    """
    if len(tags) > MAX_TAGS:
        raise ConfigError(f"{where} must be {MAX_TAGS} at most, but got {len(tags)}.")
    for name, value in tags.items():
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{where} must have names of 1 to 64 letters, digits and any of _.- with a letter "
                f"first, but got {name[:80]!r}."
            )
        if name in RESERVED:
            raise ConfigError(f"{where} cannot set {name!r}, which the gateway does.")
        if not 0 < len(value) <= MAX_VALUE or not value.isprintable():
            raise ConfigError(
                f"{where} must have values of 1 to {MAX_VALUE} printable characters, but got "
                f"{name}={value[: MAX_VALUE + 1]!r}."
            )


def _tags(header: bytes, owned: Mapping[str, str]) -> dict[str, str]:
    where = "X-Tritonkit-Tags"
    if len(header) > MAX_HEADER:
        raise ConfigError(f"{where} must be {MAX_HEADER} bytes at most, but got {len(header)}.")
    found: dict[str, str] = {}
    for part in header.decode("latin-1").split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise ConfigError(
                f"{where} must be pairs such as 'user=u17, plan=free', but got {part.strip()!r}."
            )
        if name in found:
            raise ConfigError(f"{where} must name each tag once, but got {name!r} twice.")
        if name in owned:
            raise ConfigError(f"{where} cannot set {name!r}, which the gateway does.")
        try:
            found[name] = unquote(value, errors="strict") if value.isascii() else _latin(value)
        except UnicodeDecodeError:
            raise ConfigError(
                f"{where} must be UTF-8 where it has percent signs, but got {value!r}."
            ) from None
    check_tags(found, where=where)
    return found


def _latin(value: str) -> str:
    """UTF-8 as it came, as most clients write it."""
    return unquote(value.encode("latin-1").decode(), errors="strict")


def _priority(header: bytes) -> Literal["live", "batch"]:
    if header == b"live":
        return "live"
    if header == b"batch":
        return "batch"
    got = header[:80].decode("latin-1")
    raise ConfigError(f"X-Tritonkit-Priority must be 'live' or 'batch', but got {got!r}.")


def _timeout(header: bytes) -> float:
    text = header[:80].decode("latin-1")
    seconds = parse_duration(text, name="X-Tritonkit-Timeout")
    if seconds > MAX_TIMEOUT:
        raise ConfigError(f"X-Tritonkit-Timeout must be 24h at most, but got {text!r}.")
    return seconds
