"""
What is seen of a request that no layer reads: above all what would end a Triton.

Measured on tritonserver 2.51: an input with its values in the JSON and a shape of 2**33
elements is given memory for all of them before the values are counted, and where there is not
so much the process ends, with everybody's requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["Seen", "look"]

_LENGTH = re.compile(rb"\s*\+?([0-9]+)")
"""Whatever follows is passed over."""

_DIGITS = 40
"""Of a number; with more it is no dimension."""


class Seen(NamedTuple):
    """
    Args:
        harm: Why a Triton must not be sent the request; empty where it may.
        rows: The largest first dimension of a tensor; 1 where there is none.
        shared: Whether it names a region of shared memory.
    """

    harm: str = ""
    rows: int = 1
    shared: bool = False


def look(body: bytes, told: bytes | None) -> Seen:
    """
    Look at a request as Triton reads it.

    Triton's parser takes a little more for JSON than Python's. What both refuse goes on, for
    Triton's own words; what could be read by Triton alone does not.

    Args:
        body: Unpacked.
        told: The header Inference-Header-Content-Length.
    """
    size = _told(told) or len(body)
    # To Triton the text ends where there is a NUL.
    text = body[:size].partition(b"\0")[0].decode("utf-8", "surrogateescape")
    # It passes over the mark of a file's beginning.
    text = text.removeprefix("\ufeff")
    shapes = _Shapes(len(body))
    try:
        json.loads(
            text, object_pairs_hook=shapes, parse_int=_whole, parse_float=_none, strict=False
        )
    except RecursionError:
        return Seen("the JSON is nested too deep")
    except ValueError:
        # Only these it takes for numbers.
        return Seen("the JSON has a number of no JSON" if "Inf" in text or "-NaN" in text else "")
    return Seen(shapes.harm, shapes.rows, shapes.shared)


def _told(length: bytes | None) -> int:
    """Bytes of the JSON as Triton reads the header, which is by C's `atoi`; 0 for none."""
    match = _LENGTH.match(length or b"")
    if match is None or len(match[1]) > 18:
        return 0
    # It has 32 bits.
    number = int(match[1]) % 2**32
    return number if number < 2**31 else 0


class _Shapes:
    """Looks at each object of a document, at all that it says of a key."""

    def __init__(self, most: int) -> None:
        self.harm = ""
        self.rows = 1
        self.shared = False
        self._most = most

    def __call__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        has_data = any(key == "data" for key, _ in pairs)
        for key, value in pairs:
            if key == "shared_memory_region":
                self.shared = True
            if key != "shape" or not isinstance(value, list):
                continue
            sizes = [abs(each) for each in value if type(each) is int]
            if len(sizes) < len(value):
                continue
            self.rows = max([self.rows, *sizes[:1]])
            # Each value takes a byte at least, so nothing that could be right is refused.
            if has_data and (elements := _product(sizes, self._most)) > self._most:
                self.harm = (
                    f"an input has {elements:.3g} elements by its shape, or more, "
                    f"and the whole body {self._most} bytes"
                )


def _product(sizes: Sequence[int], most: int) -> int:
    """As far as it matters: of many large numbers it would take minutes."""
    product = 1
    if 0 in sizes:
        return 0
    for size in sizes:
        product *= size
        if product > most:
            break
    return product


def _whole(text: str) -> int | None:
    return int(text) if len(text) <= _DIGITS else None


def _none(text: str) -> None:
    """A fraction is no dimension, whatever its value."""
