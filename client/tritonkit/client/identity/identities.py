"""Asks a server which model it would answer with."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import monotonic
from typing import Any

from tritonkit.client.identity.identity import MODEL_DIGEST, Identity, Part, newest
from tritonkit.client.identity.loads import Loads, counters
from tritonkit.client.shared import Shared
from tritonkit.client.stack import Transport
from tritonkit.errors import (
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    ModelUnavailable,
    ProtocolError,
)

__all__ = ["Identities"]

_LOOK_AGAIN = 0.2
"""Seconds after an answer when it is looked whether Triton has counted it."""


class Identities:
    """
    The identities of a server's models.

    A model whose configuration states a digest is told by it; any other one by
    its configuration, and by how often it was seen to be loaded.

    Args:
        transport: What asks the server.
        named: What the user calls the present state of a model that has no
            digest, by its name.
        changed: Called with the name of a model that is another one now, or was
            meanwhile, if it was called since it was last known to be the same.
        unwatched: Seconds between two looks at the counters after which they say
            no more than whether anybody used the model.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        named: Mapping[str, str] | None = None,
        changed: Callable[[str], None] = lambda model: None,
        unwatched: float = 2.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.transport = transport
        self._named = dict(named or {})
        self._changed = changed
        self._loads = Loads(unwatched)
        self._clock = clock
        self._known: dict[tuple[str, str], Identity] = {}
        self._called: dict[tuple[str, str], float] = {}
        self._reads: dict[tuple[str, str], Shared[Identity]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        # A token of a model without a digest means nothing to another process,
        # nor to another server's models.
        self._here = os.urandom(16)
        self._pid = os.getpid()

    def known(self, model: str, version: str) -> Identity | None:
        """What the server said last; None if it was not asked yet."""
        return self._known.get((model, version))

    def doubt(self, model: str) -> None:
        """The model failed in a way that a reload does: ask again before the next use."""
        self._loads.doubt(model)
        self.expire(model)

    def calling(self, identity: Identity) -> None:
        """What is believed to be *identity* is about to be called."""
        self._called[identity.model, identity.asked_version] = self._clock()

    def answered(self, identity: Identity) -> None:
        """An answer came from what was believed to be *identity*."""
        now = self._clock()
        self._called[identity.model, identity.asked_version] = now
        first = [self._loads.answered(part, now) for part in identity.parts]
        if any(first) and not identity.stated:
            # Soon, so that what this answer did to the counters is known as such.
            asyncio.get_running_loop().call_later(
                _LOOK_AGAIN, self.ask, identity.model, identity.asked_version
            )

    def expire(self, model: str) -> None:
        """The server could not be reached: ask again before the next use."""
        for key, identity in list(self._known.items()):
            if key[0] == model:
                self._known[key] = replace(identity, asked=float("-inf"))

    def reading(self, model: str, version: str) -> bool:
        """Whether the server is being asked; from any thread."""
        read = self._reads.get((model, version))
        return read is not None and read.open

    def ask(self, model: str, version: str) -> None:
        """Ask the server anew while nobody waits."""
        if not self.reading(model, version):
            task = asyncio.ensure_future(self.read(model, version))
            # What it raises, the next reader meets.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def read(self, model: str, version: str, deadline: float | None = None) -> Identity:
        """
        Ask the server anew, or join those who do.

        Raises:
            DeadlineExceeded: If the deadline passes first.
            RequestError: If there is no answer; what was known stays.
        """
        key = (model, version)
        if self._loop is not asyncio.get_running_loop():
            # What another event loop, or the parent of a fork, began has no answer here.
            self._loop, self._reads = asyncio.get_running_loop(), {}
        read = self._reads.get(key)
        if read is None or not read.open:
            read = self._reads[key] = Shared(self._ask(model, version))
        try:
            done = await read.wait(deadline)
        finally:
            if self._reads.get(key) is read and not (read.waiters and read.open):
                del self._reads[key]
        if not done:
            raise DeadlineExceeded(
                f"the deadline passed before the configuration of model {model!r} came", model=model
            )
        return read.result()

    async def _ask(self, model: str, version: str) -> Identity:
        asked = self._clock()
        try:
            metadata = await self.transport.metadata(model, version)
            config = await self.transport.config(model, version)
            answering = version or newest(metadata, model)
            parts = [await self._part(model, answering, config)]
            parts += await self._composing(config)
        except ModelUnavailable:
            self.doubt(model)
            raise
        if self._pid != os.getpid():
            self._here, self._pid = os.urandom(16), os.getpid()
        identity = Identity.of(metadata, version, parts, here=self._here, asked=asked)
        before = self._known.get((model, version))
        if (
            before is not None
            and (before.token, before.loads) != (identity.token, identity.loads)
            and self._called.get((model, version), float("-inf")) >= before.asked
        ):
            # The answer is, or will be, the other one's perhaps.
            self._changed(model)
        self._known[model, version] = identity
        return identity

    async def _composing(self, config: Mapping[str, Any]) -> list[Part]:
        """The models that an ensemble calls, in order, and those that they call."""
        parts = []
        for step in (config.get("ensemble_scheduling") or {}).get("step", ()):
            name = step["model_name"]
            version = str(step.get("model_version", -1))
            version = "" if version == "-1" else version
            if not version:
                version = newest(await self.transport.metadata(name), name)
            part = await self.transport.config(name, version)
            parts.append(await self._part(name, version, part))
            parts += await self._composing(part)
        return parts

    async def _part(self, model: str, version: str, config: Mapping[str, Any]) -> Part:
        digest = self._named.get(model)
        if digest is None:
            parameter = config.get("parameters", {}).get(MODEL_DIGEST, {})
            digest = parameter.get("string_value", "")
        asked = self._clock()
        try:
            statistics = await self.transport.statistics(model, version)
        except (InvalidInput, InferenceFailed, ProtocolError):
            # A KServe server of another make: it has no statistics.
            statistics = []
        loads = self._loads.look((model, version), counters(statistics), asked, stated=bool(digest))
        return Part(model, version, config, str(digest), loads)
