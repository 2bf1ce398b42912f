"""
Floating-point numbers as Triton's JSON library reads and writes them.

RapidJSON 1.1.0 reads a number of many digits up to a few units in the last place off, and
writes the digits of Grisu2, which are not always the shortest, nor the closest. Python does
both exactly, so what is short enough to be exact is left to it.

Source: Loitsch, Printing Floating-Point Numbers Quickly and Accurately with Integers (2010).
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

from numpy.typing import NDArray

__all__ = ["read_float", "write_float", "write_floats"]

_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?")
_EXACT = 2**53 - 1
_POWERS = tuple(float(f"1e{n}") for n in range(309))
# Digits that are read beyond those of an exact significand.
_DIGITS = 17

_MASK = 2**64 - 1
_HIDDEN = 2**52
_TENS = tuple(10**n for n in range(20))


def read_float(token: str) -> float:
    """
    The value of a JSON number that has a fraction or an exponent.

    Raises:
        ValueError: If Triton would refuse it, or nobody writes such numbers.
    """
    if len(token) < 17 and "e" not in token and "E" not in token:
        # No more than 15 digits: one division of two exact numbers.
        return float(token)
    match = _NUMBER.fullmatch(token)
    if match is None or len(token) > 1000:
        raise ValueError(f"{token[:40]!r} is no number")
    minus, integer, fraction, exponent = match.groups()
    significand = int(integer)
    if significand >= 2**63:
        raise ValueError(f"{token[:40]!r} has too many digits")
    digits = len(integer) - 1
    scale = 0
    value = float(significand)
    if fraction:
        for place, digit in enumerate(fraction):
            if significand > _EXACT:
                rest = fraction[place:]
                break
            significand = significand * 10 + int(digit)
            scale -= 1
            if significand:
                digits += 1
        else:
            rest = ""
        value = float(significand)
        for digit in rest:
            if digits >= _DIGITS:
                break
            value = value * 10.0 + int(digit)
            scale -= 1
            if value > 0.0:
                digits += 1
    power = scale
    if exponent:
        power += int(exponent)
        if power > 308:
            raise ValueError(f"{token[:40]!r} is too large")
    value = _scaled(value, power)
    if math.isinf(value):
        raise ValueError(f"{token[:40]!r} is too large")
    return -value if minus else value


def _scaled(value: float, power: int) -> float:
    if power >= 0:
        return value * _POWERS[power]
    if power >= -308:
        return value / _POWERS[-power]
    return value / _POWERS[308] / _POWERS[-power - 308] if power >= -616 else 0.0


def write_float(value: float) -> str:
    """The text of any number, NaN and infinite ones as well."""
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0.0:
        return "-0.0" if math.copysign(1.0, value) < 0 else "0.0"
    text = _pretty(*_digits(abs(value)))
    return f"-{text}" if value < 0 else text


def write_floats(values: NDArray[Any]) -> bytes:
    """The numbers of a flat array, in a list."""
    return f"[{','.join(map(write_float, values.tolist()))}]".encode()


def _digits(value: float) -> tuple[str, int]:
    """Digits by Grisu2, and the power of ten of the last."""
    fraction, exponent = math.frexp(value)
    significand, exponent = int(fraction * 2**53), exponent - 53
    if exponent < -1074:
        # Below the least normal number; the bits that go are zeros.
        significand >>= -1074 - exponent
        exponent = -1074
    # Both boundaries and the number itself, with the upper's leading bit at 2**63.
    upper = 2 * significand + 1
    shift = 64 - upper.bit_length()
    upper <<= shift
    power = exponent - 1 - shift
    if significand == _HIDDEN:
        lower = (4 * significand - 1) << (shift - 1)
    else:
        lower = (2 * significand - 1) << shift
    middle = significand << (64 - significand.bit_length())
    factor, factor_power, last = _cached_power(power)
    high = _times(upper, factor) - 1
    delta = high - _times(lower, factor) - 1
    # The number has one bit less than its upper boundary, so its leading bit is one place on.
    middle_power = exponent - (64 - significand.bit_length())
    distance = high - (
        _times(middle, factor) >> (power - middle_power)
        if power >= middle_power
        else _times(middle, factor) << (middle_power - power)
    )
    bits = -(power + factor_power + 64)
    return _generate(high, delta, distance, bits, last)


def _generate(high: int, delta: int, distance: int, bits: int, last: int) -> tuple[str, int]:
    """The fewest digits below *high* that are no more than *delta* away from it."""
    one = 1 << bits
    whole = high >> bits
    part = high & (one - 1)
    place = len(str(whole)) - 1
    while place >= 0:
        unit = _TENS[place] << bits
        rest = high % unit
        if rest <= delta:
            found = _rounded(high // unit, delta, rest, unit, distance)
            return str(found), last + place
        place -= 1
    scaled = whole
    for count in range(1, 20):
        part *= 10
        delta *= 10
        scaled = scaled * 10 + (part >> bits)
        part &= one - 1
        if part < delta:
            # Beyond 8 digits after the point the library does not round.
            away = distance * _TENS[count] if count < 9 else 0
            return str(_rounded(scaled, delta, part, one, away)), last - count
    raise AssertionError(f"no end of digits: {high=}, {delta=}, {bits=}")


def _rounded(digits: int, delta: int, rest: int, unit: int, distance: int) -> int:
    while (
        rest < distance
        and delta - rest >= unit
        and (rest + unit < distance or distance - rest > rest + unit - distance)
    ):
        digits -= 1
        rest += unit
    return digits


def _times(a: int, b: int) -> int:
    """The upper 64 bits of a product, rounded."""
    return (a * b + (1 << 63)) >> 64


@lru_cache(maxsize=2048)
def _cached_power(power: int) -> tuple[int, int, int]:
    """The power of ten to scale with: 64 bits, their exponent, and what stays of ten's."""
    index = (math.ceil((-61 - power) * 0.30102999566398114 + 347) >> 3) + 1
    ten = -348 + 8 * index
    if ten >= 0:
        exact = 10**ten
        shift = exact.bit_length() - 64
        factor = exact << -shift if shift <= 0 else (exact + (1 << (shift - 1))) >> shift
    else:
        below = 10**-ten
        shift = -(below.bit_length() + 64)
        factor = ((1 << -shift) + below // 2) // below
        while factor.bit_length() > 64:
            shift += 1
            factor = ((1 << -shift) + below // 2) // below
    return factor, shift, -ten


def _pretty(digits: str, last: int) -> str:
    count = len(digits)
    point = count + last
    if last >= 0 and point <= 21:
        return f"{digits}{'0' * last}.0"
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    if count == 1:
        return f"{digits}e{point - 1}"
    return f"{digits[0]}.{digits[1:]}e{point - 1}"
