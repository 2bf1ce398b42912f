"""
Floating-point numbers as Triton's JSON library reads them.

RapidJSON 1.1.0 takes a number of more than 15 digits with up to a few units in the last
place of error. Python reads exactly, so what is short enough to be exact is left to it.
"""

from __future__ import annotations

import math

__all__ = ["read_float"]

_EXACT = 2**53 - 1
_POWERS = tuple(float(f"1e{n}") for n in range(309))
_DIGITS = 17
"""Digits that count: beyond those of an exact significand one by one, as floats."""


def read_float(token: str) -> float:
    """
    The value of a JSON number that has a fraction or an exponent.

    Raises:
        ValueError: If Triton refuses it, or nobody writes such numbers.
    """
    if len(token) < 17 and "e" not in token and "E" not in token:
        # No more than 15 digits: one division of two exact numbers.
        return float(token)
    mantissa, _, exponent = token.lower().partition("e")
    integer, _, fraction = mantissa.lstrip("-").partition(".")
    if len(token) > 1000 or len(integer) > 18:
        raise ValueError(f"{token[:40]!r} has too many digits")
    value, power = _significand(integer, fraction)
    if exponent:
        power += int(exponent)
        if power > 308:
            raise ValueError(f"{token[:40]!r} is too large")
    value = _scaled(value, power)
    if math.isinf(value):
        raise ValueError(f"{token[:40]!r} is too large")
    return -value if token[0] == "-" else value


def _significand(integer: str, fraction: str) -> tuple[float, int]:
    """All digits that count, as one number, and the power of ten of the last."""
    digits = (integer + fraction).lstrip("0")
    # As one integer, until that is beyond what a float holds exactly.
    used = max(16, len(integer))
    if len(digits) > used and int(digits[:used]) <= _EXACT:
        used += 1
    value = float(int(digits[:used] or "0"))
    # An integer's first digit is not counted.
    counted = used - (integer != "0")
    while counted < _DIGITS and used < len(digits):
        value = value * 10.0 + int(digits[used])
        used += 1
        counted += 1
    return value, max(0, len(digits) - used) - len(fraction)


def _scaled(value: float, power: int) -> float:
    if power >= 0:
        return value * _POWERS[power]
    if power >= -308:
        return value / _POWERS[-power]
    return value / _POWERS[308] / _POWERS[-power - 308] if power >= -616 else 0.0
