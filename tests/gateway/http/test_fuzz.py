"""
10,000 malformed requests at a real gateway, in front of a real Triton.

Each is refused in one clean answer, or its connection is closed; another client sees nothing
of it; and afterwards the process is as it was.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tests.gateway.http.malformed import MAX_BODY, Malformed, malformed
from tests.gateway.running import Gateway, running_gateway

from tritonkit.client.async_client import AsyncClient

if TYPE_CHECKING:
    from conftest import Triton

REQUESTS = 10_000
AT_ONCE = 200
TIMEOUT = "500ms"
BOUND = 60.0
"""Seconds that one may take here, where the gateway's own bounds are below a second: a machine
with other work may wait for a processor, and a connection that nobody closes never ends."""

POLICY = f"""
[[layers]]
type = "cache"
ttl = "1h"
stores = [{{ type = "memory", size = "1MB" }}]

[gateway]
max_body = {MAX_BODY}
max_connections = {2 * AT_ONCE}
header_timeout = "{TIMEOUT}"
body_timeout = "{TIMEOUT}"
keep_alive = "{TIMEOUT}"
"""

GROWTH = 8_000_000
"""
Bytes that the second half may add to the resident memory.

What is remembered of requests is bounded and full after the first half. A connection that is
not let go, with its parser, its buffers and its last request, is 4 kB or more, 20 MB for
5,000 of them; a request of 200,000 bytes now and then leaves the allocator some MB more.
"""

LISTEN = "0A"
"""As the kernel has it in /proc/net/tcp."""

# Triton's own for JSON that it cannot read is 500; 501 and 505 say what is not spoken here.
REFUSED = {400, 403, 404, 405, 408, 413, 429, 431, 500, 501, 505}


async def test_refuses_ten_thousand_malformed_requests(triton: Triton, tmp_path: Path) -> None:
    with running_gateway(POLICY, upstream=triton.http, folder=tmp_path) as gateway:
        process = Path(f"/proc/{gateway.process.pid}")
        kinds: Counter[str] = Counter()
        stop = asyncio.Event()
        other = asyncio.ensure_future(unharmed(gateway, stop))
        await attack(gateway, range(REQUESTS // 2), kinds)
        assert await settled(gateway) <= 1
        before = resident(process)
        await attack(gateway, range(REQUESTS // 2, REQUESTS), kinds)
        assert await settled(gateway) <= 1
        grown = resident(process) - before
        stop.set()
        asked = await other

        assert kinds.total() == REQUESTS
        assert asked > 10
        assert grown < GROWTH, f"{grown} bytes more"
        # It ends when no connection and no task is left, and had a minute for that.
        assert await asyncio.to_thread(gateway.stop) == 0
        assert "Traceback" not in gateway.log, gateway.log[-3000:]
        assert "failed" not in gateway.log, gateway.log[-3000:]


async def attack(gateway: Gateway, seeds: range, kinds: Counter[str]) -> None:
    left = iter(seeds)

    async def one() -> None:
        for seed in left:
            request = malformed(seed)
            try:
                async with asyncio.timeout(BOUND):
                    said = await answer(gateway.port, request)
            except TimeoutError:
                raise AssertionError(f"seed {seed} ({request.kind}) was not answered") from None
            check(seed, request, said)
            kinds[request.kind] += 1

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


async def answer(port: int, request: Malformed) -> bytes:
    """All that the gateway says until it closes, or until an answer is whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    sending = asyncio.ensure_future(send(writer, request))
    try:
        if not request.waits:
            await sending
            return b""
        while data := await reader.read(65536):
            said += data
            if sending.done() and whole(said):
                break
    except ConnectionError:
        # The gateway closed while more was on its way.
        pass
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return said


async def send(writer: asyncio.StreamWriter, request: Malformed) -> None:
    try:
        for piece in request.pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(request.pause)
    except ConnectionError:
        return


def whole(said: bytes) -> bool:
    head, end, body = said.partition(b"\r\n\r\n")
    match = re.search(rb"\r\nContent-Length: (\d+)", head)
    return bool(end) and match is not None and len(body) >= int(match[1])


def check(seed: int, request: Malformed, said: bytes) -> None:
    """Whether it is nothing, or answers of which each is whole and says what is wrong."""
    where = f"seed {seed} ({request.kind}): {request.pieces!r:.300} -> {said[:300]!r}"
    statuses = []
    while said:
        head, end, rest = said.partition(b"\r\n\r\n")
        match = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [ \w-]+(?:\r\n[\w-]+: [^\r\n]*)*", head)
        assert end, where
        assert match, where
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        assert length, where
        body, said = rest[: int(length[1])], rest[int(length[1]) :]
        assert len(body) == int(length[1]), where
        status = int(match[1])
        statuses.append(status)
        if status == 200:
            assert request.right, where
        else:
            assert status in REFUSED, where
            if b"text/plain; charset" not in head and status != 405:
                assert json.loads(body)["error"], where
    if request.kind == "smuggled":
        assert len(statuses) <= 1, where
    if request.kind == "slow":
        assert statuses in ([], [408]), where


async def unharmed(gateway: Gateway, stop: asyncio.Event) -> int:
    """Another client's calls, one after the other; each is answered, and rightly."""
    asked = 0
    rng = np.random.default_rng(7)
    async with AsyncClient(gateway.url) as client:
        while not stop.is_set():
            x = rng.random((1, 4), dtype=np.float32)
            answer = await client.infer("doubles", {"x": x}, timeout=BOUND)
            np.testing.assert_array_equal(answer["y"], 2 * x)
            asked += 1
            await asyncio.sleep(0.02)
    return asked


async def settled(gateway: Gateway) -> int:
    """Connections of clients that the gateway has, once those that linger are closed."""
    counts = [connections(gateway)]
    async with asyncio.timeout(BOUND):
        while len(counts) < 5 or len(set(counts[-5:])) > 1:
            await asyncio.sleep(0.1)
            counts.append(connections(gateway))
    return counts[-1]


def connections(gateway: Gateway) -> int:
    process = Path(f"/proc/{gateway.process.pid}")
    open_ = set()
    for descriptor in (process / "fd").iterdir():
        with suppress(FileNotFoundError):
            open_.add(str(descriptor.readlink()))
    found = 0
    for line in (process / "net" / "tcp").read_text().splitlines()[1:]:
        fields = line.split()
        port = int(fields[1].rpartition(":")[2], 16)
        found += port == gateway.port and fields[3] != LISTEN and f"socket:[{fields[9]}]" in open_
    return found


def resident(process: Path) -> int:
    """Bytes."""
    return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
