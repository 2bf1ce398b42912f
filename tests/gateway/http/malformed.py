"""Requests that are wrong, drawn from a seed."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["Malformed", "malformed"]

PATH = b"/v2/models/doubles/infer"
TENSOR = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
MAX_BODY = 200_000
"""What the gateway under test takes."""


class Malformed(NamedTuple):
    """
    Args:
        kind: Of the fault.
        pieces: Of bytes, sent one after the other.
        pause: Seconds between two of them.
        waits: Whether the client then waits for an answer; it leaves at once otherwise.
        right: Whether it may be right by chance.
    """

    kind: str
    pieces: Sequence[bytes]
    pause: float = 0.0
    waits: bool = True
    right: bool = False


def malformed(seed: int) -> Malformed:
    """The request of a seed."""
    rng = random.Random(seed)
    kind = rng.choice(_KINDS)
    made = kind(rng)
    if isinstance(made, bytes):
        return Malformed(kind.__name__.strip("_"), [made])
    return made


def _post(body: bytes, headers: bytes = b"", path: bytes = PATH) -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s" % (
        path,
        headers,
        len(body),
        body,
    )


def _right(rng: random.Random) -> bytes:
    return _post(json.dumps({"id": str(rng.random()), "inputs": [TENSOR]}).encode())


def _bytes(rng: random.Random, most: int) -> bytes:
    return rng.randbytes(rng.randint(1, most))


def _request_line(rng: random.Random) -> bytes:
    line = rng.choice(
        [
            b"",
            _bytes(rng, 60),
            b"GET",
            b"GET /v2",
            b"GET  /v2 HTTP/1.1",
            b"G\xc3\x89T /v2 HTTP/1.1",
            b"GET /v2 HTTP/1.%d" % rng.randint(2, 99),
            b"GET /v2 HTTP/%d.%d" % (rng.randint(2, 9), rng.randint(0, 9)),
            b"GET /v2 HTTP/1.1 x",
            b"GET /v\x002 HTTP/1.1",
            b"GET /v2\x7f HTTP/1.1",
            b"get /v2 HTTP/1.1",
            b"PRI * HTTP/2.0",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"GET " + b"/" * rng.randint(66_000, 90_000) + b" HTTP/1.1",
            b"BREW /v2 HTTP/1.1",
            b"CONNECT x:80 HTTP/1.1",
        ]
    )
    return line + b"\r\nHost: x\r\nContent-Length: zero\r\n\r\n"


def _path(rng: random.Random) -> bytes:
    path = rng.choice(
        [
            b"/v2//logging",
            b"/v2/%2e%2e/v2/logging",
            b"/v2/%ff%fe",
            b"/v2/models/%00/infer",
            b"/V2/LOGGING",
            b"/v2/logging/",
            b"*",
            b"http://x/v2/logging",
            b"/v2/" + bytes(rng.choices(range(33, 127), k=40)).replace(b"#", b"-"),
            b"/" + bytes(rng.choices(range(128, 256), k=9)),
            b"/v2/models/doubles/versions/x/y/infer",
        ]
    )
    return _post(b"{}", path=path)


def _header(rng: random.Random) -> bytes:
    header = rng.choice(
        [
            b"no colon",
            b": no name",
            b"a b: c",
            b"a : b",
            b"a\x00: b",
            b"a: \x00b",
            b"a: b\x0bc",
            b"a: b\nContent-Length: 1",
            b"a: b\rc: d",
            b" folded: at the start",
            b"a: b\r\n folded",
            b"\x80\xff: x",
            b"Host: y",
            b"x: " + b"y" * rng.randint(66_000, 200_000),
            _MANY,
            b"Content-Encoding: " + rng.choice([b"br", b"zstd", b"", b"gzip, gzip"]),
            b"Content-Encoding: gzip",
            b"Content-Encoding: deflate",
        ]
    )
    # Whatever a header becomes, the body is none of an inference.
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: 2\r\n\r\n[]" % (PATH, header)


def _no_host(rng: random.Random) -> bytes:
    return _right(rng).replace(b"Host: x\r\n", b"")


def _length(rng: random.Random) -> bytes:
    length = rng.choice(
        [
            b"-1",
            b"+5",
            b"0x10",
            b"1e3",
            b"5, 5",
            b"5,6",
            b"",
            b" ",
            b"5 5",
            b"five",
            b"5\r\nContent-Length: 6",
            b"5\r\ncontent-length: 5",
            str(rng.randint(2**63, 2**70)).encode(),
            b"9" * rng.randint(20, 400),
            str(rng.randint(MAX_BODY + 1, 2**40)).encode(),
        ]
    )
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\nhello" % (PATH, length)


def _smuggled(rng: random.Random) -> bytes:
    """Two lengths of one body: a request within it, for who believes the other one."""
    framing = rng.choice(
        [
            b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nX: %d\r\n",
            b"Transfer-Encoding: chunked, identity\r\nX: %d\r\n",
            b"Transfer-Encoding: xchunked\r\nContent-Length: %d\r\n",
            b"Transfer-Encoding: gzip, chunked\r\nX: %d\r\n",
            b"Transfer-Encoding:\x0bchunked\r\nContent-Length: %d\r\n",
            b"Transfer-Encoding : chunked\r\nContent-Length: %d\r\n",
            b"X: y\nTransfer-Encoding: chunked\r\nContent-Length: %d\r\n",
            b"Transfer-Encoding: chunked\r\n , identity\r\nX: %d\r\n",
            b"Content-Length: 4\r\nContent-Length: %d\r\n",
        ]
    )
    inner = b"0\r\n\r\nPOST /v2/repository/models/doubles/unload HTTP/1.1\r\nHost: x\r\n\r\n"
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n%s" % (PATH, framing % len(inner), inner)


def _chunks(rng: random.Random) -> bytes:
    body = rng.choice(
        [
            b"zz\r\n",
            b"-1\r\na\r\n",
            b"0x1\r\na\r\n",
            b"1\r\nab\r\n0\r\n\r\n",
            b"1\na\n0\n\n",
            b"1\r\na0\r\n\r\n",
            b"f" * 17 + b"\r\na",
            b"%x\r\n%s" % (MAX_BODY + 1, b"a" * (MAX_BODY + 1)),
            b"1;" + b"e" * rng.randint(70_000, 150_000) + b"\r\na\r\n",
            b"1\r\na\r\n" * 100 + b"g\r\n",
            b"0\r\nbad trailer\r\n\r\n",
            b" 1\r\na\r\n",
            b"\r\n\r\n",
            b"0\r\nA: " + b"t" * rng.randint(70_000, 150_000),
            b"0\r\n\r\n",
        ]
    )
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % PATH
    return head + body


def _json(rng: random.Random) -> bytes:
    text = json.dumps({"inputs": [TENSOR]}).encode()
    depth = rng.randint(100, 60_000)
    body = rng.choice(
        [
            b"",
            b"{",
            b"null",
            b"[]",
            text[: rng.randint(1, len(text) - 1)],
            b"\xff\xfe" + text,
            b"[" * depth,
            b'{"inputs":' + b"[" * depth + b"]" * depth + b"}",
            b'{"a":' * min(depth, 30_000),
            text.replace(b"[1, 4]", b"[%d]" % rng.choice([-1, 10**30, 2**62])),
            text.replace(b"[1, 4]", b"[9" + b"9" * rng.randint(4_000, 9_000) + b"]"),
            text.replace(b"[1, 2", b"[1e%d, 2" % rng.randint(400, 99_999)),
            text.replace(b"[1, 2", b"[" + b"8" * rng.randint(400, 9_000) + b", 2"),
            text.replace(
                b'"FP32"', rng.choice([b'"FP33"', b"7", b"null", b'"\\ud800"', b'"BYTES"'])
            ),
            text.replace(b'"x"', rng.choice([b'"nope"', b"7", b'"\\u0000"', b"null"])),
            text.replace(b'"data"', b'"date"'),
            text.replace(b"[1, 2, 3, 4]", rng.choice([b"{}", b'"abc"', b"[[1],2,3]", b"[]"])),
            b'{"id":%s,' % rng.choice([b"[]", b"{}", b"1.5"]) + text[1:],
        ]
    )
    return _post(body)


def _binary(rng: random.Random) -> bytes:
    tensor = {k: v for k, v in TENSOR.items() if k != "data"}
    size = rng.choice([-1, 0, 15, 17, 2**31, 2**63, 10**30, 1.5, "16", None])
    text = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": size}}]}).encode()
    told = rng.choice(
        [
            *(b"%d" % (len(text) + more) for more in (-1, 0, 0, 0, 17)),
            *(b"-1", b"+1", b"0", b"x", b"", b"9" * 30),
        ]
    )
    return _post(text + bytes(16), b"Inference-Header-Content-Length: %s\r\n" % told)


def _packed(rng: random.Random) -> bytes:
    cut = _DEEP[: rng.randint(1, len(_DEEP) - 1)]
    body = rng.choice([_bytes(rng, 400), cut, _BOMB, _MEMBERS, _DEEP])
    return _post(body, b"Content-Encoding: %s\r\n" % rng.choice([b"gzip", b"deflate"]))


def _slow(rng: random.Random) -> Malformed:
    """Half a request, and then silence, or a byte now and then."""
    right = _right(rng)
    cut = rng.randint(1, len(right) - 20)
    if rng.random() < 0.3:
        drops = [right[n : n + 1] for n in range(cut, len(right) - 1)]
        return Malformed("slow", [right[:cut], *drops], pause=0.2)
    return Malformed("slow", [right[:cut]])


def _cut(rng: random.Random) -> Malformed:
    """Whoever leaves in the middle of it."""
    right = _right(rng)
    return Malformed("cut", [right[: rng.randint(0, len(right))]], waits=False)


def _mutated(rng: random.Random) -> Malformed:
    """A right request with some bytes changed."""
    right = bytearray(_right(rng))
    for _ in range(rng.randint(1, 5)):
        right[rng.randrange(len(right))] = rng.randrange(256)
    return Malformed("mutated", [bytes(right)], right=True)


def _pieces(rng: random.Random) -> Malformed:
    """A right request in pieces, and rubbish behind it."""
    data = _right(rng) + _bytes(rng, 300)
    cuts = sorted(rng.randrange(len(data)) for _ in range(rng.randint(1, 6)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return Malformed("pieces", pieces, right=True)


_DEEP = gzip.compress(b"[" * 1000)
_BOMB = gzip.compress(bytes(20 * MAX_BODY))
_MEMBERS = gzip.compress(b"") * 2000
_MANY = b"\r\n".join(b"h%d: v" % n for n in range(8_000))

_KINDS: Sequence[Callable[[random.Random], bytes | Malformed]] = [
    _request_line, _path, _header, _no_host, _length, _length, _smuggled, _smuggled, _chunks,
    _chunks, _json, _json, _json, _binary, _binary, _packed, _slow, _cut, _mutated, _mutated,
    _pieces,
]  # fmt: skip
