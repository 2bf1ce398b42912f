"""
Floating-point numbers as Triton's JSON library writes them.

RapidJSON 1.1.0 writes the digits of Grisu2, which are not always the shortest, nor the
closest: of float32 numbers every third has another last digit than Python gives it.

Source: Loitsch, Printing Floating-Point Numbers Quickly and Accurately with Integers (2010).
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["write_float", "write_floats"]

_FEW = 48
"""Numbers up to which one by one is faster than all at once."""
_UNROUNDED = 9
"""Digits after the point from which on the library does not round."""
_HIDDEN = 2**52
_TENS = tuple(10**n for n in range(20))
_LOG = 0.30102999566398114
_LOW = np.uint64(2**32 - 1)
_HALF = np.uint64(32)


def write_floats(values: NDArray[Any]) -> bytes:
    """The numbers of a flat array, in a list."""
    if len(values) <= _FEW:
        return f"[{','.join(map(write_float, values.tolist()))}]".encode()
    with np.errstate(invalid="ignore"):
        wide = values.astype("<f8")
    return f"[{','.join(_many(wide))}]".encode()


@lru_cache(maxsize=4096)
def _nonnegative(value: float) -> str:
    if value == math.inf:
        return "Infinity"
    return _pretty(*_digits(value)) if value else "0.0"


def write_float(value: float) -> str:
    """The text of any number, NaN and infinite ones as well."""
    if value != value:
        return "NaN"
    text = _nonnegative(abs(value))
    return f"-{text}" if math.copysign(1.0, value) < 0 else text


def _digits(value: float) -> tuple[str, int]:
    """Digits, and the power of ten of the last."""
    fraction, exponent = math.frexp(value)
    significand, exponent = int(fraction * 2**53), exponent - 53
    if exponent < -1074:
        # Below the least normal number; the bits that go are zeros.
        significand >>= -1074 - exponent
        exponent = -1074
    # The number and its boundaries, with the leading bit at 2**63.
    shift = 64 - significand.bit_length()
    middle = significand << shift
    upper = (2 * significand + 1) << (shift - 1)
    if significand == _HIDDEN:
        lower = (4 * significand - 1) << (shift - 2)
    else:
        lower = (2 * significand - 1) << (shift - 1)
    power = exponent - shift
    factor, factor_power, last = _ten(_index(power))
    high = _times(upper, factor) - 1
    delta = high - _times(lower, factor) - 1
    distance = high - _times(middle, factor)
    return _generate(high, delta, distance, -(power + factor_power + 64), last)


def _generate(high: int, delta: int, distance: int, bits: int, last: int) -> tuple[str, int]:
    """The fewest digits below *high* that are no more than *delta* away from it."""
    one = 1 << bits
    whole = high >> bits
    part = high & (one - 1)
    if part <= delta:
        place = 0
        while high % (_TENS[place + 1] << bits) <= delta:
            place += 1
        unit = _TENS[place] << bits
        digits, rest = divmod(high, unit)
        return str(_rounded(digits, delta, rest, unit, distance)), last + place
    for count in range(1, 20):
        part *= 10
        delta *= 10
        whole = whole * 10 + (part >> bits)
        part &= one - 1
        if part < delta:
            away = distance * _TENS[count] if count < _UNROUNDED else 0
            return str(_rounded(whole, delta, part, one, away)), last - count
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


def _index(power: int) -> int:
    """Which power of ten to scale with."""
    return (math.ceil((-61 - power) * _LOG + 347) >> 3) + 1


@cache
def _ten(index: int) -> tuple[int, int, int]:
    """A power of ten: its first 64 bits, rounded, their exponent, and the power it takes off."""
    ten = -348 + 8 * index
    if ten >= 0:
        exact = 10**ten
        shift = exact.bit_length() - 64
        return (exact << -shift if shift <= 0 else _shifted(exact, shift)), shift, -ten
    below = 10**-ten
    shift = -(below.bit_length() + 63)
    return ((1 << -shift) + below // 2) // below, shift, -ten


def _shifted(exact: int, shift: int) -> int:
    return (exact + (1 << (shift - 1))) >> shift


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


def _many(values: NDArray[np.float64]) -> list[str]:
    """The same for all at once, as far as they have digits after the scaled point."""
    u = np.uint64
    pattern = np.abs(values).view(u)
    biased = (pattern >> u(52)).astype(np.int64)
    significand = (pattern & u(_HIDDEN - 1)) | u(_HIDDEN)
    usual = np.flatnonzero((biased > 0) & (biased < 2047))
    significand, power = significand[usual], biased[usual] - 1086
    index = (np.ceil((-61 - power) * _LOG + 347).astype(np.int64) >> 3) + 1
    factors, powers, lasts = _tens()
    factor, last = factors[index], lasts[index]
    bits = (-(power + powers[index] + 64)).astype(u)
    edge = significand == u(_HIDDEN)
    lower = np.where(
        edge, (significand * u(4) - u(1)) << u(9), (significand * u(2) - u(1)) << u(10)
    )
    high = _upper_bits((significand * u(2) + u(1)) << u(10), factor) - u(1)
    delta = high - _upper_bits(lower, factor) - u(1)
    distance = high - _upper_bits(significand << u(11), factor)
    one = u(1) << bits
    digits, part = high >> bits, high & (one - u(1))
    left = np.flatnonzero(part > delta)
    usual, last = usual[left], last[left]
    digits, part, delta, distance, one, bits = (
        each[left] for each in (digits, part, delta, distance, one, bits)
    )
    counts = np.zeros(len(usual), np.int64)
    open_ = np.arange(len(usual))
    for count in range(1, 20):
        if not len(open_):
            break
        scaled, limit, width = part[open_] * u(10), delta[open_] * u(10), bits[open_]
        digits[open_] = digits[open_] * u(10) + (scaled >> width)
        scaled &= one[open_] - u(1)
        part[open_], delta[open_] = scaled, limit
        counts[open_] = count
        open_ = open_[scaled >= limit]
    away = np.where(
        counts < _UNROUNDED, distance * np.array(_TENS, u)[np.minimum(counts, _UNROUNDED)], u(0)
    )
    while True:
        down = (part < away) & (delta - part >= one)
        down &= (part + one < away) | (away - part > part + one - away)
        if not down.any():
            break
        digits -= down
        part += np.where(down, one, u(0))
    texts: list[str] = [""] * len(values)
    for place, number, lowest in zip(
        usual.tolist(), digits.tolist(), (last - counts).tolist(), strict=True
    ):
        texts[place] = _pretty(str(number), lowest)
    for place in np.flatnonzero(np.signbit(values)).tolist():
        if texts[place]:
            texts[place] = f"-{texts[place]}"
    numbers: list[float] = values.tolist()
    return [text or write_float(value) for text, value in zip(texts, numbers, strict=True)]


@cache
def _tens() -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    factors, powers, lasts = zip(*map(_ten, range(88)), strict=True)
    return np.array(factors, np.uint64), np.array(powers), np.array(lasts)


def _upper_bits(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The upper 64 bits of products, rounded."""
    a_high, a_low, b_high, b_low = a >> _HALF, a & _LOW, b >> _HALF, b & _LOW
    one = a_high * b_low + (a_low * b_low >> _HALF)
    other = a_low * b_high + (one & _LOW)
    carry = (other >> np.uint64(31)) & np.uint64(1)
    product: NDArray[np.uint64] = a_high * b_high + (one >> _HALF) + (other >> _HALF) + carry
    return product
