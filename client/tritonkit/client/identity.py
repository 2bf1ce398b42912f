"""Which model answers: by what its configuration states, else by what can be seen of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from tritonkit.client.shared import Shared
from tritonkit.client.signature import Signature
from tritonkit.client.stack import Transport
from tritonkit.errors import (
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    ModelUnavailable,
    ProtocolError,
)

__all__ = ["BATCH_INVARIANT", "MODEL_DIGEST", "Identities", "Identity"]

MODEL_DIGEST = "tritonkit.model_digest"
"""Parameter of config.pbtxt: a digest of what decides the model's answers."""

BATCH_INVARIANT = "tritonkit.batch_invariant"
"""Parameter of config.pbtxt: "true" where an answer does not depend on the rest of its batch."""

_COUNTED_WITHIN = 0.5
"""Seconds after an answer in which Triton has counted it, also where the CPU is busy."""

_LOOK_AGAIN = 0.2
"""Seconds after an answer when it is looked whether Triton has counted it."""

# How a model is run, not what it answers.
_NEUTRAL = (
    "cc_model_filenames",
    "dynamic_batching",
    "instance_group",
    "metric_tags",
    "model_warmup",
    "response_cache",
    "version_policy",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """
    What the server says of the model that would answer.

    Args:
        model: Its name.
        asked_version: The version that was asked for; empty for the server's choice.
        version: The version that would answer.
        token: Two models of one token give the same answers. 16 bytes.
        stated: Whether the token follows from a digest that the configuration
            states. Otherwise it holds in this process only, and until the model
            is seen to be loaded again.
        loads: How often it was seen to be loaded, each part of it.
        parts: The model, and those that an ensemble calls, with their versions.
        signature: What it takes and gives.
        batch_invariant: What the configuration states; None where it says nothing.
        server_cached: Whether Triton's own response cache answers for it.
        stateful: Why its answers are not a function of the request; empty where
            nothing says so.
        asked: When the server was asked, in seconds of `time.monotonic`.
    """

    model: str
    asked_version: str
    version: str
    token: bytes
    stated: bool
    loads: tuple[int, ...]
    parts: tuple[tuple[str, str], ...]
    signature: Signature
    batch_invariant: bool | None
    server_cached: bool
    stateful: str
    asked: float


@dataclass(slots=True)
class _Seen:
    """What was seen of one loaded model, to notice that it is another one."""

    counters: tuple[int, ...] = ()
    loads: int = 0
    # When it answered first since the counters were what they are.
    answered: float | None = None
    # When the counters were read last.
    read: float = float("-inf")


class Identities:
    """
    The identities of a server's models.

    Triton does not say when a model was loaded, but its counters begin anew:
    a counter that is less than it was means another load, and so do counters
    that an answer has not changed. So does an answer that the model is not
    there. Where others used a model while nobody looked, its counters may have
    shrunk and grown again: that counts as another load, too. A model whose
    configuration has a digest needs none of it, unless it was another one meanwhile.

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
        self._unwatched = unwatched
        self._clock = clock
        self._known: dict[tuple[str, str], Identity] = {}
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._doubtful: set[str] = set()
        self._doubts: dict[str, int] = {}
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
        # What was never seen may be any name, of which there is no end.
        if any(name == model for name, _ in self._seen):
            self._doubtful.add(model)
        self.expire(model)

    def calling(self, identity: Identity) -> None:
        """What is believed to be *identity* is about to be called."""
        self._called[identity.model, identity.asked_version] = self._clock()

    def answered(self, identity: Identity) -> None:
        """An answer came from what was believed to be *identity*."""
        now = self._clock()
        self._called[identity.model, identity.asked_version] = now
        for part in identity.parts:
            seen = self._seen[part]
            if seen.answered is None:
                seen.answered = now
                if not identity.stated:
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
            answering = version or _newest(metadata, model)
            parts = [await self._part(model, answering, config)]
            parts += await self._composing(config)
        except ModelUnavailable:
            self.doubt(model)
            raise
        stated = all(part.digest for part in parts)
        total = hashlib.sha256()
        if not stated:
            if self._pid != os.getpid():
                self._here, self._pid = os.urandom(16), os.getpid()
            total.update(self._here)
        for part in parts:
            total.update(part.content(stated))
        identity = Identity(
            model=model,
            asked_version=version,
            version=answering,
            token=total.digest()[:16],
            stated=stated,
            loads=tuple(part.loads for part in parts),
            parts=tuple((part.model, part.version) for part in parts),
            signature=Signature.read(metadata, config),
            batch_invariant=_flag(config),
            server_cached=any(
                (part.config.get("response_cache") or {}).get("enable") for part in parts
            ),
            stateful=_stateful(part.config for part in parts),
            asked=asked,
        )
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

    async def _composing(self, config: Mapping[str, Any]) -> list[_Part]:
        """The models that an ensemble calls, in order, and those that they call."""
        parts = []
        for step in (config.get("ensemble_scheduling") or {}).get("step", ()):
            name = step["model_name"]
            version = str(step.get("model_version", -1))
            version = "" if version == "-1" else version
            if not version:
                version = _newest(await self.transport.metadata(name), name)
            part = await self.transport.config(name, version)
            parts.append(await self._part(name, version, part))
            parts += await self._composing(part)
        return parts

    async def _part(self, model: str, version: str, config: Mapping[str, Any]) -> _Part:
        digest = self._named.get(model)
        if digest is None:
            parameter = config.get("parameters", {}).get(MODEL_DIGEST, {})
            digest = parameter.get("string_value", "")
        loads = await self._loads(model, version, watched=not digest)
        return _Part(model, version, config, str(digest), loads)

    async def _loads(self, model: str, version: str, *, watched: bool) -> int:
        """How often the model was seen to be loaded; *watched* where nothing else tells."""
        now = self._clock()
        try:
            statistics = await self.transport.statistics(model, version)
        except (InvalidInput, InferenceFailed, ProtocolError):
            # A KServe server of another make: it has no statistics.
            statistics = []
        counters = _counters(statistics)
        seen = self._seen.setdefault((model, version), _Seen())
        if model in self._doubtful:
            self._doubtful.discard(model)
            self._doubts[model] = self._doubts.get(model, 0) + 1
        if seen.counters and (
            _less(counters, seen.counters)
            or self._uncounted(seen, counters, now)
            or (watched and counters != seen.counters and now - seen.read > self._unwatched)
        ):
            seen.loads += 1
        seen.read = now
        if counters != seen.counters:
            seen.counters, seen.answered = counters, None
        return seen.loads + (self._doubts.get(model, 0) << 32)

    def _uncounted(self, seen: _Seen, counters: tuple[int, ...], asked: float) -> bool:
        """Whether the model had answered when its counters were asked for, without a trace."""
        if counters != seen.counters or seen.answered is None:
            return False
        if asked - seen.answered < _COUNTED_WITHIN:
            return False
        seen.answered = None
        return True


@dataclass(frozen=True, slots=True)
class _Part:
    """One model on the way to the answer."""

    model: str
    version: str
    config: Mapping[str, Any]
    digest: str
    loads: int

    def content(self, stated: bool) -> bytes:
        config = {name: value for name, value in self.config.items() if name not in _NEUTRAL}
        parts = [
            self.model,
            self.version,
            self.digest,
            json.dumps(config, sort_keys=True, default=str),
        ]
        if not stated:
            parts.append(str(self.loads))
        return hashlib.sha256(json.dumps(parts).encode()).digest()


def _newest(metadata: Mapping[str, Any], model: str) -> str:
    """Triton answers with the greatest version unless one is named."""
    try:
        return str(max(metadata["versions"], key=int))
    except (KeyError, TypeError, ValueError) as error:
        # Servers without versions say so by leaving them out.
        if not metadata.get("versions"):
            return ""
        raise ProtocolError(
            f"the versions of model {model!r} are not numbers: {metadata['versions']}", model=model
        ) from error


def _flag(config: Mapping[str, Any]) -> bool | None:
    value = config.get("parameters", {}).get(BATCH_INVARIANT, {}).get("string_value")
    return None if value is None else value == "true"


def _stateful(configs: Iterable[Mapping[str, Any]]) -> str:
    for config in configs:
        if config.get("sequence_batching"):
            return (
                f"model {config.get('name')!r} keeps a state between requests (sequence_batching)"
            )
        if (config.get("model_transaction_policy") or {}).get("decoupled"):
            return f"model {config.get('name')!r} is decoupled: it may answer more than once"
    return ""


def _less(now: tuple[int, ...], before: tuple[int, ...]) -> bool:
    return len(now) != len(before) or any(map(int.__lt__, now, before))


def _counters(statistics: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    """Numbers that only grow while a model stays loaded."""
    counters: list[int] = []
    for entry in statistics:
        names = ("inference_count", "execution_count", "last_inference")
        counters += [int(entry.get(name, 0)) for name in names]
        for _, value in sorted(entry.get("inference_stats", {}).items()):
            counters += [int(value.get("count", 0)), int(value.get("ns", 0))]
    return tuple(counters)
