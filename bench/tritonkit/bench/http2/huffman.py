"""
The Huffman code that header fields may be written in; only read here.

Source: RFC 7541, appendix B. The code is canonical: codes of one length follow each
other in the order of their symbols, so the lengths tell all.
"""

from __future__ import annotations

from tritonkit.errors import ProtocolError

__all__ = ["decode"]

# fmt: off
_LENGTHS = (
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30,
    28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5,
    7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22,
    22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23,
    22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22,
    21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26,
    26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20,
    24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27,
    27, 28, 27, 27, 27, 27, 27, 26,
)
# fmt: on


def _symbols() -> dict[tuple[int, int], int]:
    """Bytes by length and code."""
    found = {}
    code, last = 0, 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(_LENGTHS)):
        code <<= length - last
        found[length, code] = symbol
        code, last = code + 1, length
    return found


_SYMBOLS = _symbols()


def decode(data: bytes) -> bytes:
    """
    The text that *data* is the code of.

    Raises:
        ProtocolError: If it is none.
    """
    text = bytearray()
    code = length = 0
    for byte in data:
        for place in range(7, -1, -1):
            code = code << 1 | byte >> place & 1
            length += 1
            symbol = _SYMBOLS.get((length, code))
            if symbol is not None:
                text.append(symbol)
                code = length = 0
    # What fills the last byte is the start of the code of no symbol: ones.
    if length > 7 or code != (1 << length) - 1:
        raise ProtocolError("a header field is not in HTTP/2's Huffman code")
    return bytes(text)
