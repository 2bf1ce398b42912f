"""Those who ask a gateway and look at every answer, and those who send it nonsense."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from time import monotonic

import numpy as np
from chaos import MODEL
from gateway_rig import CONSTANT

from tritonkit.client import InferRequest
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.codec import decode_infer, encode_infer
from tritonkit.client.wire.http1 import Reply
from tritonkit.client.wire.pool import Pool
from tritonkit.errors import RequestError, ServerUnavailable
from tritonkit.gateway.demo.texts import questions
from tritonkit.gateway.demo.traffic import Asked, Traffic

TIMEOUT = 10.0
"""Seconds in which a caller wants an answer; the policy gives up after half of them."""

ATTEMPTS = 4
"""Of a request whose connection breaks: the worker that it went to may be gone."""

MALFORMED = (
    b"POST /v2/models/accurate/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{nonsense",
    b"POST /v2/models/accurate/infer HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b'POST /v2/models/nobody/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{"inputs":[]}',
    b"POST /v2/models/accurate/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    b"Inference-Header-Content-Length: 99\r\n\r\n{}",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v2/models/accurate/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"zz\r\n",
)


@dataclass
class Tally:
    """What became of the traffic."""

    answered: Counter[str] = field(default_factory=Counter)
    """By where the answer came from, or by why it is degraded."""
    failed: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    cut: int = 0
    """Requests whose connection broke, and that were sent again."""
    dropped: int = 0
    cost: int = 0
    """By the traces of all answers, in millionths."""
    malformed: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    """From when a request was due to its answer."""

    @property
    def gave_up(self) -> int:
        """Answers in place of one that came too late, and was computed all the same."""
        return sum(count for why, count in self.answered.items() if "DeadlineExceeded" in why)


class Callers:
    """Those who ask, each when it is due."""

    def __init__(self, address: Address, traffic: Traffic, tally: Tally) -> None:
        self.tally = tally
        self._address, self._traffic = address, traffic
        self._pool = Pool(address, max_connections=256)
        self._texts = {kind: questions(shifted=kind) for kind in (False, True)}
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> None:
        end = monotonic() + seconds
        while (now := monotonic()) < end:
            for asked in self._traffic.until(now):
                if len(self._under_way) >= 1_000:
                    self.tally.dropped += 1
                    continue
                task = asyncio.create_task(self._ask(asked))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.sleep(0.005)
        await asyncio.gather(*self._under_way)

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _ask(self, asked: Asked) -> None:
        texts = [self._texts[asked.shifted][rank].encode() for rank in asked.ranks]
        rows = np.array([[text] for text in texts], dtype=object)
        message = encode_infer(InferRequest(model=MODEL, inputs={"text": rows}), self._address)
        reply = await self._sent(message, asked.at + TIMEOUT)
        if reply is None:
            return
        if reply.status != 200:
            self.tally.failed[f"{reply.status} {bytes(reply.body[:120]).decode()}"] += 1
            return
        self.tally.seconds.append(monotonic() - asked.at)
        trace = json.loads(reply.headers["x-tritonkit-trace"])
        self.tally.cost += trace["cost"]
        self.tally.answered[trace["degraded"] or "+".join(sorted(trace["origins"]))] += 1
        told = decode_infer(reply, MODEL)["embedding"]
        right = np.array([zlib.crc32(text) % 2**20 for text in texts], dtype=np.float32)
        constant = "constant" in trace["degraded"] and np.all(told == np.array(CONSTANT))
        # Only what is degraded may come from another model than the one that was asked.
        full = bool(np.all(told[:, 1] == 1.0)) or bool(trace["degraded"])
        if not constant and not (np.array_equal(told[:, 0], right) and full):
            self.tally.wrong += 1

    async def _sent(self, message: bytes, deadline: float) -> Reply | None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._pool.exchange(message, deadline, replay=False)
            except ServerUnavailable as error:
                if attempt == ATTEMPTS:
                    self.tally.failed[str(error)] += 1
                self.tally.cut += 1
                await asyncio.sleep(0.1)
            except RequestError as error:
                self.tally.failed[str(error)] += 1
                return None
        return None


async def malform(address: Address, tally: Tally) -> None:
    """Send nonsense, ten times a second, until cancelled."""
    chance = Random(0)
    while True:
        await asyncio.sleep(0.1)
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            try:
                writer.write(chance.choice(MALFORMED))
                # A worker that is killed takes its connections along.
                async with asyncio.timeout(15):
                    head = await reader.read(1000)
            except TimeoutError:
                tally.malformed["no answer in 15 s"] += 1
                continue
            except ConnectionError:
                head = b""
            finally:
                writer.close()
            status = head[9:12].decode(errors="replace") if head else "closed"
            # Triton itself calls this one its own fault.
            own = status == "500" and b"failed to parse the request JSON" in head
            tally.malformed["500 as Triton" if own else status] += 1
