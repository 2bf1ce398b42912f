"""Events in Redis: for processes of any machine."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from operator import itemgetter
from typing import Any

from tritonkit.client.experiments.backend import Backend
from tritonkit.client.experiments.batching import BatchingLog
from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import Answer, Event, Exposure, wall_clock
from tritonkit.client.experiments.log import Loss, Page
from tritonkit.client.experiments.rows import decode_control, decode_page, encode, encode_control
from tritonkit.client.stores.redis.link import Link, Reply
from tritonkit.client.stores.redis.redis_url import check_url, masked
from tritonkit.client.stores.redis.servers import server_at
from tritonkit.errors import ConfigError, ServerUnavailable
from tritonkit.extras import require

__all__ = ["RedisLog"]

PATIENCE = 2.0
"""Seconds that an exchange may take: a batch of events is more than a row of a cache."""

READ = 1_000
"""Events that are read in one exchange."""

EVICTED = 2_000
"""Events that make room at a time: Redis does nothing else meanwhile. Twice a batch."""

_NAMESPACE = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_CURSOR = re.compile(r"(?:(\d+-\d+)/(\d+-\d+))?", re.ASCII)
_BEGINNING = "0-0"

# All of a batch or nothing of it, and once: a batch of which nobody knows whether it was
# written is written again, and may come twice after that. A writer's batches have numbers that
# grow, and for a week Redis knows the last. KEYS[1] is how the keys begin, all in one slot.
# ARGV: the batch's name, milliseconds that events are kept for (0 for ever), events that a
# stream holds, how many of them make room at a time, how many events follow, for each of them
# experiment, exposure's id, JSON; then losses, for each its name and how many.
# What makes room is counted as lost, by what it was.
_WRITE = """
local base, batch = KEYS[1], ARGV[1]
local age, most, evicted = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local count = tonumber(ARGV[5])
local writer, number = string.match(batch, '^(.*)-(%d+)$')
local written = base .. 'batch:' .. writer
local again = tonumber(number) <= tonumber(redis.call('GET', written) or 0)
if not again then redis.call('SET', written, number, 'EX', 604800) end
local new, streams, losses = {}, {}, {}
local at = 6
for i = 1, count do
  local experiment, id, event = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  at = at + 3
  local first = true
  if id ~= '' then
    local key = base .. 'exposed:' .. id
    if again then
      first = redis.call('GET', key) == batch
    elseif age > 0 then
      first = redis.call('SET', key, batch, 'NX', 'PX', age)
    else
      first = redis.call('SET', key, batch, 'NX')
    end
  end
  if first and not again then
    local stream = base .. 'outcomes'
    if experiment ~= '' then stream = base .. 'events:' .. experiment end
    redis.call('XADD', stream, '*', 'e', event)
    streams[stream] = experiment
  end
  new[i] = first and 1 or 0
end
if not again then
  for stream, experiment in pairs(streams) do
    local held = redis.call('XLEN', stream)
    local over = math.min(held - most, evicted)
    if over > 0 then
      for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', over)) do
        local loss = '["", "", "", "outcome"]'
        if experiment ~= '' then
          -- As `encode` has them; what another program has put there is none of ours.
          local ok, fields = pcall(cjson.decode, entry[2][2])
          local first = ok and (fields[1] == 'exposure' and 2 or 3)
          loss = ok and cjson.encode({
            fields[first], fields[first + 1], fields[first + 2], fields[1]})
        end
        if loss then losses[loss] = (losses[loss] or 0) + 1 end
      end
      redis.call('XTRIM', stream, 'MAXLEN', held - over)
    end
    if age > 0 then redis.call('PEXPIRE', stream, age) end
    if experiment ~= '' then redis.call('SADD', base .. 'names', experiment) end
  end
  while at < #ARGV do
    losses[ARGV[at]] = (losses[ARGV[at]] or 0) + ARGV[at + 1]
    at = at + 2
  end
  for loss, n in pairs(losses) do
    redis.call('HINCRBY', base .. 'losses', loss, n)
  end
end
return new
"""
# Entries of streams as one text each, since redis-py takes some 30 us to read an entry.
# KEYS[1] is how the keys begin. ARGV: how many, then for each stream its key and the place after
# which it begins. Returns for each the last place, and events with commas between them.
_READ = """
local left, told = tonumber(ARGV[1]), {}
for at = 2, #ARGV, 2 do
  local place, events = ARGV[at + 1], {}
  local reply = left > 0 and redis.call('XREAD', 'COUNT', left, 'STREAMS', ARGV[at], place)
  for _, entry in ipairs(reply and reply[1][2] or {}) do
    place, left = entry[1], left - 1
    -- What another program has put there is none of ours.
    if entry[2] and entry[2][1] == 'e' then table.insert(events, entry[2][2]) end
  end
  table.insert(told, place)
  table.insert(told, table.concat(events, ','))
end
return told
"""
# KEYS[1] is a control's key. ARGV: what it must hold, empty for nothing; what it then holds.
_REPLACE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
_WRITE_SHA = hashlib.sha1(_WRITE.encode(), usedforsecurity=False).hexdigest()


class RedisLog(BatchingLog):
    """
    Keeps events in streams of Redis 5 or later, standalone or cluster.

    While Redis does not answer, events wait in this process, and requests do not wait
    for it. A cluster keeps a namespace on one node. Events are as durable as Redis is:
    `appendonly yes` keeps them through its end, and `maxmemory-policy` must be
    noeviction, since a unit whose exposure was evicted is exposed again.

    Args:
        url: As for `Redis`, the store.
        budget: The most that a request waits for its exposure to be written. 50 ms:
            some ten times a round trip, and no more than a busy Redis adds.
        room: The most exposures that wait to be written, and the most other events.
        max_age: How old an event becomes; None keeps all. Before Redis 6.2 it is that
            of a whole experiment, from its last event on.
        max_events: The most events of an experiment, and the most outcomes; the oldest make
            room, and `losses` tells of which arm they were. Five million take some GB.
        cluster: The URL is that of a node of a Redis Cluster.
        namespace: How every key in Redis begins, in braces.

    Raises:
        ConfigError: If the URL or another argument is wrong.
        MissingExtra: If redis is not installed.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        budget: str | float | timedelta = "50ms",
        room: int = 100_000,
        max_age: str | float | timedelta | None = "90d",
        max_events: int = 5_000_000,
        cluster: bool = False,
        namespace: str = "tritonkit",
    ) -> None:
        if not _NAMESPACE.fullmatch(namespace):
            raise ConfigError(
                f"namespace must be letters, digits, '.', '-' and '_', but got {namespace!r}."
            )
        if isinstance(max_events, bool) or max_events < 1:
            raise ConfigError(f"max_events must be at least 1, but got {max_events=}.")
        check_url(url, cluster=cluster)
        self.url = masked(url)
        self.cluster = cluster
        self.max_events = max_events
        self._url = url
        self._base = f"{{{namespace}}}:experiments:"
        super().__init__(budget=budget, room=room, max_age=max_age)

    def __repr__(self) -> str:
        cluster = ", cluster=True" if self.cluster else ""
        return f"RedisLog({self.url!r}, {self._options()}{cluster})"

    def _backend(self) -> Callable[[], Backend]:
        age = 0 if self.max_age is None else int(self.max_age * 1000)
        return partial(
            _Streams, self._url, self._base, age_ms=age, most=self.max_events, cluster=self.cluster
        )


class _Streams(Backend):
    """
    Redis, for a thread that has no event loop.

    The link is that of the stores; its event loop runs while something is asked.
    """

    def __init__(self, url: str, base: str, *, age_ms: int, most: int, cluster: bool) -> None:
        self._url = url
        self._base = base.encode()
        self._age_ms = age_ms
        self._most = most
        self._cluster = cluster
        self._opened: tuple[asyncio.AbstractEventLoop, Link] | None = None

    def write(self, batch: str, events: Sequence[Event], losses: Mapping[Loss, int]) -> list[bool]:
        arguments: list[Any] = [batch, self._age_ms, self._most, EVICTED, len(events)]
        for event in events:
            name = event.experiment if isinstance(event, Exposure | Answer) else ""
            once = event.id if isinstance(event, Exposure) else ""
            arguments += [_bytes(name), once, encode(event)]
        for loss, count in losses.items():
            arguments += [json.dumps(loss), count]
        rest = (1, self._base, *arguments)
        reply = self._run("EVALSHA", _WRITE_SHA, *rest)
        if isinstance(reply.error, require("redis.exceptions", extra="redis").NoScriptError):
            reply = self._run("EVAL", _WRITE, *rest)
        return [bool(new) for new in self._value(reply)]

    def trim(self, before: float) -> None:
        names = [b"outcomes", *(b"events:" + _bytes(name) for name in self.experiments())]
        for name in names:
            # Redis before 6.2 knows no MINID and refuses; there, streams expire whole.
            self._run("XTRIM", self._base + name, "MINID", "~", max(0, int(before * 1000)))

    def read(self, experiment: str, after: str, limit: int) -> Page:
        match = _CURSOR.fullmatch(after)
        if match is None:
            raise ConfigError(f"after must be a cursor of this log, but got {after!r}.")
        keys = [self._base + b"events:" + _bytes(experiment), self._base + b"outcomes"]
        places = [place or _BEGINNING for place in match.groups()]
        streams = [part for pair in zip(keys, places, strict=True) for part in pair]
        reply = self._ask("EVAL", _READ, 1, self._base, min(limit, READ), *streams)
        events = [event for text in reply[1::2] for event in decode_page(text)]
        cursor = b"/".join(reply[::2]).decode()
        return Page(events, cursor if events else after)

    def experiments(self) -> list[str]:
        return sorted(_text(name) for name in self._ask("SMEMBERS", self._base + b"names"))

    def losses(self) -> dict[Loss, int]:
        reply = self._ask("HGETALL", self._base + b"losses")
        pairs = reply.items() if isinstance(reply, dict) else zip(*[iter(reply)] * 2, strict=True)
        found: Counter[Loss] = Counter()
        for name, count in pairs:
            # Redis writes JSON without the spaces of Python.
            found[Loss(*json.loads(name))] += int(count)
        return dict(found)

    def control(self, experiment: str) -> Control:
        return _control(self._document(experiment))

    def steer(self, experiment: str, control: Control, replacing: Control | None) -> bool:
        name = _bytes(experiment)
        key = self._base + b"control:" + name
        if replacing is None:
            self._ask("SET", key, encode_control(control))
        else:
            before = self._document(experiment)
            if replacing != _control(before):
                return False
            # Unless somebody came between.
            if not self._ask("EVAL", _REPLACE, 1, key, before or b"", encode_control(control)):
                return False
        self._ask("SADD", self._base + b"names", name)
        return True

    def _document(self, experiment: str) -> bytes | None:
        document: bytes | None = self._ask("GET", self._base + b"control:" + _bytes(experiment))
        return document

    def describe(self, experiment: str, version: str, weights: Mapping[str, float]) -> None:
        key = self._base + b"weights:" + _bytes(experiment)
        self._ask("HSETNX", key, _bytes(version), json.dumps([wall_clock(), dict(weights)]))

    def weights(self, experiment: str) -> dict[str, dict[str, float]]:
        reply = self._ask("HGETALL", self._base + b"weights:" + _bytes(experiment))
        pairs = reply.items() if isinstance(reply, dict) else zip(*[iter(reply)] * 2, strict=True)
        told = [(*json.loads(document), _text(version)) for version, document in pairs]
        return {version: weights for _, weights, version in sorted(told, key=itemgetter(0))}

    def lease(self, name: str, owner: str, seconds: float) -> bool:
        key, lasting = self._base + b"lease:" + _bytes(name), max(1, int(seconds * 1000))
        if self._ask("SET", key, _bytes(owner), "NX", "PX", lasting) is not None:
            return True
        # Between these two it may go to another: then two have it for once.
        if self._ask("GET", key) != _bytes(owner):
            return False
        self._ask("PEXPIRE", key, lasting)
        return True

    def close(self) -> None:
        if self._opened is None:
            return
        (loop, link), self._opened = self._opened, None
        loop.run_until_complete(link.aclose())
        loop.close()

    def _ask(self, *command: Any) -> Any:
        return self._value(self._run(*command))

    def _run(self, *command: Any) -> Reply:
        if self._opened is None:
            self._opened = asyncio.new_event_loop(), self._open()
        loop, link = self._opened
        asked = link.ask([self._base], [command], kind="command")
        return loop.run_until_complete(asked)[0]

    def _value(self, reply: Reply) -> Any:
        if not reply.answered:
            assert self._opened is not None
            link = self._opened[1]
            reason = f"{link.title} refuses: {reply.error}" if reply.error else link.silence
            raise ServerUnavailable(reason) from reply.error
        return reply.value

    def _open(self) -> Link:
        server = server_at(self._url, cluster=self._cluster, patience=PATIENCE)
        return Link(server, PATIENCE, _uncounted, title=masked(self._url))


def _control(document: bytes | None) -> Control:
    return Control() if document is None else decode_control(document)


def _uncounted(counter: str, by: int) -> None:
    """The writer counts batches that fail."""


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _text(data: bytes) -> str:
    return data.decode(errors="surrogatepass")
