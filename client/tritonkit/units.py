"""
Durations, sizes, shares and ranges as people write them.

Strings with units exist here, in public constructors and on the command line.
Everything below works in seconds, bytes and integers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction

from tritonkit.errors import ConfigError

__all__ = [
    "format_duration",
    "format_size",
    "parse_duration",
    "parse_range",
    "parse_share",
    "parse_size",
]

_SECONDS: Mapping[str, float] = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_BYTES: Mapping[str, int] = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_BYTES_BY_LOWER = {unit.lower(): factor for unit, factor in _BYTES.items()}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([A-Za-z]*)", re.ASCII)
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(%?)", re.ASCII)
_WHOLE = re.compile(r"[0-9]+", re.ASCII)

MAX_RANGE_VALUES = 10_000
"""A range that would hold more values is a typing error, not a plan."""


def parse_duration(value: str | float | timedelta, *, name: str = "duration") -> float:
    """
    Read a duration.

    Args:
        value: "500us", "10s", "1.5h", a timedelta, or a number of seconds.
            A string needs its unit: ns, us, ms, s, m, h or d.
        name: What the value is for; stands in the error.

    Returns:
        Seconds, finite and not negative.

    Raises:
        ConfigError: If the value is not a duration, is negative or not finite.
    """
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        number, unit = _quantity(value, name, "such as '500us', '10s' or '24h'")
        if unit not in _SECONDS:
            raise ConfigError(
                f"{name} needs a unit out of {', '.join(_SECONDS)}, but got {value!r}."
            )
        seconds = float(number) * _SECONDS[unit]
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{name} must be a duration such as '10s', but got {value!r}.")
    else:
        seconds = float(value)
    if not math.isfinite(seconds) or seconds < 0:
        raise ConfigError(f"{name} must be finite and not negative, but got {value!r}.")
    return seconds


def parse_size(value: str | int, *, name: str = "size") -> int:
    """
    Read a size.

    Args:
        value: "64MB" (10**6 each), "64MiB" (2**20 each), "512B", or a number of
            bytes. Case of the unit does not matter; a string needs its unit.
        name: What the value is for; stands in the error.

    Returns:
        Whole bytes, not negative. A fraction of a byte is refused.

    Raises:
        ConfigError: If the value is not a size, is negative or not whole bytes.
    """
    if isinstance(value, str):
        number, unit = _quantity(value, name, "such as '64MB' or '1GiB'")
        factor = _BYTES_BY_LOWER.get(unit.lower())
        if factor is None:
            raise ConfigError(f"{name} needs a unit out of {', '.join(_BYTES)}, but got {value!r}.")
        size = number * factor
        if size.denominator != 1:
            raise ConfigError(f"{name} must be whole bytes, but got {value!r}.")
        return int(size)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name} must be a size such as '64MB', but got {value!r}.")
    if value < 0:
        raise ConfigError(f"{name} must not be negative, but got {value!r}.")
    return value


def parse_share(value: str | float, *, name: str = "share") -> float:
    """
    Read a share of a whole.

    Args:
        value: "1%", "0.01" or 0.01.
        name: What the value is for; stands in the error.

    Returns:
        0 to 1.

    Raises:
        ConfigError: If the value is not a number, or is outside 0 to 1.
    """
    if isinstance(value, str):
        match = _SHARE.fullmatch(value.strip())
        if match is None:
            raise ConfigError(f"{name} must be a share such as '1%' or '0.01', but got {value!r}.")
        share = float(match[1]) / (100 if match[2] else 1)
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{name} must be a share such as '1%' or 0.01, but got {value!r}.")
    else:
        share = float(value)
    if not 0 <= share <= 1:
        raise ConfigError(f"{name} must be 0 to 1, or 0% to 100%, but got {value!r}.")
    return share


def parse_range(value: str | int, *, name: str = "range") -> tuple[int, ...]:
    """
    Read a range of positive whole numbers.

    Args:
        value: "8", "1,4,16", "1:5" (step 1), "0:64:16" or "1:64:*2"
            (multiplied). The end belongs to the range where a step meets it.
        name: What the value is for; stands in the error.

    Returns:
        The values in the order written, without repeats.

    Raises:
        ConfigError: If a part is not a whole number, the range is empty, or it
            holds more than 10,000 values.
    """
    values: dict[int, None] = {}
    for part in str(value).split(","):
        for number in _range_part(part.strip(), name, value):
            values[number] = None
            if len(values) > MAX_RANGE_VALUES:
                raise ConfigError(f"{name} holds more than {MAX_RANGE_VALUES} values: {value!r}.")
    return tuple(values)


def format_duration(seconds: float) -> str:
    """Three significant digits in the largest unit that keeps the number at or above 1."""
    if not math.isfinite(seconds):
        return str(seconds)
    size = abs(seconds)
    unit = next((u for u in ("d", "h", "m", "s", "ms", "us") if size >= _SECONDS[u]), "ns")
    return f"{_three_digits(seconds / _SECONDS[unit])}{unit}"


def format_size(size: int) -> str:
    """Three significant digits in decimal units: 90.4MB."""
    unit = next((u for u in ("TB", "GB", "MB", "kB") if abs(size) >= _BYTES[u]), "B")
    return f"{_three_digits(size / _BYTES[unit])}{unit}"


def _three_digits(number: float) -> str:
    whole = len(str(int(abs(number))))
    text = f"{number:.{max(0, 3 - whole)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _quantity(value: str, name: str, examples: str) -> tuple[Fraction, str]:
    match = _QUANTITY.fullmatch(value.strip())
    if match is None:
        raise ConfigError(f"{name} must be a number with a unit, {examples}, but got {value!r}.")
    # A Fraction, so that "1.1TB" is whole bytes.
    return Fraction(match[1]), match[2]


def _range_part(part: str, name: str, whole: str | int) -> range | list[int]:
    fields = part.split(":")
    step, multiply = "1", False
    if len(fields) == 3:
        step = fields[2].strip()
        multiply = step.startswith("*")
        step = step.removeprefix("*")
    numbers = [*fields[:2], step]
    if len(fields) > 3 or not all(_WHOLE.fullmatch(n.strip()) for n in numbers):
        raise ConfigError(
            f"{name} must be whole numbers such as '8', '1,4,16', '1:8:2' or '1:64:*2', "
            f"but got {part!r} in {whole!r}."
        )
    start, end, by = int(fields[0]), int(fields[min(1, len(fields) - 1)]), int(step)
    if end < start:
        raise ConfigError(f"{name} must not end before it starts, but got {part!r} in {whole!r}.")
    if by < (2 if multiply else 1) or (multiply and start == 0):
        raise ConfigError(f"{name} never ends with this step: {part!r} in {whole!r}.")
    if not multiply:
        return range(start, end + 1, by)
    values = [start]
    while values[-1] * by <= end:
        values.append(values[-1] * by)
    return values
