"""A store's way to Redis: budgets, breakers and clocks around one server or a cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from time import monotonic
from typing import Any, NamedTuple

from tritonkit.client.stores.redis.breaker import Attempt
from tritonkit.client.stores.redis.clock import ServerClock
from tritonkit.client.stores.redis.peer import GRACE_TURNS, Kind, Peer
from tritonkit.client.stores.redis.servers import Command, Server
from tritonkit.extras import require

__all__ = ["Link", "Reply"]

PATIENCE = 1.0
"""Seconds that an exchange may take which nobody waits for any more; also a write."""

_SLOTS = 32
# Whoever asks a cluster for its nodes again gives it time to settle.
_SETTLE = 2.0
# So many nodes of a cluster may be silent before one says which there are.
_NODES = 4

_log = logging.getLogger("tritonkit.client.redis")


class Reply(NamedTuple):
    """
    Args:
        value: None for an error, or where there was no answer in time.
        error: The error reply of Redis, for a command that it refused.
        clock: Of the node that was asked; None where none answered.
    """

    value: Any
    error: Exception | None
    clock: ServerClock | None

    @property
    def answered(self) -> bool:
        """Whether the command was carried out."""
        return self.clock is not None and self.error is None


_UNANSWERED = Reply(None, None, None)


class Link:
    """
    Redis as one event loop sees it.

    An exchange is a task of its own. Who asked waits for it until the budget is
    spent; it ends by itself, so that a connection that takes longer to open than
    a request may wait is there for the next.

    Args:
        server: Whom to ask.
        budget: Seconds after which an answer is too late, and the breaker told.
        count: Takes a counter's name and how much to add.
        title: What to call the server in the log.
        slots: Exchanges at a time, and so connections to a node.
    """

    def __init__(
        self,
        server: Server,
        budget: float,
        count: Callable[[str, int], None],
        *,
        title: str,
        slots: int = _SLOTS,
    ) -> None:
        self._server = server
        self._budget = budget
        self._count = count
        self.title = title
        self._trouble = ""
        self._slots = asyncio.Semaphore(slots)
        self._peers: dict[str, Peer] = {}
        # What finds out the nodes of a cluster has a breaker as well.
        self._entrance = Peer(title, count)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._mended = -float("inf")
        self._connecting: asyncio.Task[bool] | None = None

    async def ask(
        self,
        keys: Sequence[bytes],
        commands: Sequence[Command],
        *,
        kind: Kind = "request",
        deadline: float | None = None,
    ) -> list[Reply]:
        """
        Run a command for each key, in one round trip to each node.

        Args:
            keys: Decide about the node.
            commands: One for each of *keys*.
            kind: Who asks.
            deadline: Of `time.monotonic`; None is the budget from now on for a
                request, PATIENCE otherwise.
        """
        if deadline is None:
            deadline = monotonic() + (self._budget if kind == "request" else self.patience)
        replies = [_UNANSWERED] * len(keys)
        if not await self.connected(kind, deadline):
            return replies
        places: dict[str, list[int]] = {}
        for index, key in enumerate(keys):
            node = self._server.place(key)
            if node is None:
                self._mend("")
            else:
                places.setdefault(node, []).append(index)
        exchanges = [
            self.exchange(node, [commands[i] for i in at], kind=kind, deadline=deadline)
            for node, at in places.items()
        ]
        answers = [await exchanges[0]] if len(exchanges) == 1 else await asyncio.gather(*exchanges)
        for at, answer in zip(places.values(), answers, strict=True):
            for i, reply in zip(at, answer, strict=True):
                replies[i] = reply
        return replies

    @property
    def silence(self) -> str:
        """That there was no answer, and why, as far as that is known; for a person."""
        reason = f": {self._trouble}" if self._trouble else " in time"
        return f"{self.title} does not answer{reason}"

    @property
    def patience(self) -> float:
        """Seconds that anything may take that no request waits for."""
        return max(PATIENCE, self._budget)

    def nodes(self) -> list[str]:
        """Those that keys are written to."""
        return self._server.nodes()

    async def clock(self, key: bytes) -> ServerClock | None:
        """The clock of the node that has *key*, as it is now; None where it does not answer."""
        deadline = monotonic() + self.patience
        if not await self.connected("write", deadline):
            return None
        node = self._server.place(key)
        if node is None:
            return None
        clock = self._peer(node).clock
        if clock.due(monotonic()):
            await self.exchange(node, [], kind="write", deadline=deadline)
        return None if clock.due(monotonic()) else clock

    async def connected(self, kind: Kind, deadline: float) -> bool:
        """Whether the nodes are known, by the deadline."""
        if self._server.ready:
            return True
        if self._connecting is None:
            attempt = self._entrance.begin(kind, self._budget)
            if attempt is None and kind != "command":
                return False
            self._connecting = self._spawn(self._connect(attempt))
            self._connecting.add_done_callback(self._end_connecting)
        elif kind != "command" and not self._entrance.closed:
            return False
        await self._wait(self._connecting, deadline)
        return self._server.ready

    async def exchange(
        self, node: str, commands: Sequence[Command], *, kind: Kind, deadline: float
    ) -> list[Reply]:
        """Run commands on one node, in one round trip."""
        unanswered = [_UNANSWERED] * len(commands)
        peer = self._peer(node)
        attempt = peer.begin(kind, deadline - monotonic())
        if attempt is None and kind != "command":
            if self._server.moves:
                self._mend(node)
            return unanswered
        task = self._spawn(self._perform(node, peer, attempt, commands, deadline, kind))
        if not await self._wait(task, deadline):
            self._count("timeouts", 1)
            return unanswered
        return task.result() or unanswered

    async def aclose(self) -> None:
        """Give up what is under way and close the connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(self.patience):
                await self._server.aclose()
        except Exception as error:  # as in _perform; a broken connection is closed as well
            _log.debug("%s: while closing: %r", self.title, error)

    async def _connect(self, attempt: Attempt | None) -> bool:
        try:
            async with asyncio.timeout(_NODES * self.patience):
                await self._server.connect()
        except Exception as error:  # as in _perform
            self._trouble = str(error)
            self._entrance.failed(attempt, error)
            return False
        self._entrance.answered(attempt, "request")
        return True

    def _end_connecting(self, task: asyncio.Task[bool]) -> None:
        self._connecting = None

    async def _perform(
        self,
        node: str,
        peer: Peer,
        attempt: Attempt | None,
        commands: Sequence[Command],
        deadline: float,
        kind: Kind,
    ) -> list[Reply] | None:
        async with self._slots:
            asked = monotonic()
            if asked >= deadline:
                return None
            ask_time = peer.clock.due(asked) or not commands
            sent = [("TIME",), *commands] if ask_time else commands
            try:
                async with asyncio.timeout(self.patience):
                    replies = await self._server.run(node, sent)
                if len(replies) != len(sent):
                    raise ValueError(f"{len(replies)} replies to {len(sent)} commands")
                if ask_time:
                    peer.learn(replies.pop(0), asked=asked, answered=monotonic())
            except asyncio.CancelledError:
                peer.forget(attempt)
                raise
            except Exception as error:
                # Met with garbage, the parser raises whatever comes to it; and a
                # store never fails a request.
                self._trouble = str(error)
                peer.failed(attempt, error)
                self._mend(node)
                return None
        self._trouble = ""
        peer.answered(attempt, kind)
        errors = [reply for reply in replies if isinstance(reply, Exception)]
        if errors:
            self._refused(node, errors)
        return [
            Reply(None, reply, peer.clock)
            if isinstance(reply, Exception)
            else Reply(reply, None, peer.clock)
            for reply in replies
        ]

    def _refused(self, node: str, errors: list[Exception]) -> None:
        self._count("errors", len(errors))
        _log.debug("%s refuses: %r", self.title, errors[0])
        # A full server is as good a server for reads; but one that became a
        # replica, or has lost its cluster, is the wrong one.
        full = require("redis.exceptions", extra="redis").OutOfMemoryError
        if self._server.moves and not all(isinstance(error, full) for error in errors):
            self._mend(node)

    async def _wait(self, task: asyncio.Task[Any], deadline: float) -> bool:
        await asyncio.wait((task,), timeout=max(0.0, deadline - monotonic()))
        for _ in range(GRACE_TURNS):
            if task.done():
                break
            await asyncio.sleep(0)
        return task.done() and not task.cancelled()

    def _mend(self, node: str) -> None:
        if self._server.moves:
            now = monotonic()
            if now - self._mended < _SETTLE:
                return
            self._mended = now
        self._spawn(self._quietly_mend(node))

    async def _quietly_mend(self, node: str) -> None:
        try:
            async with asyncio.timeout(_NODES * self.patience):
                await self._server.mend(node)
        except Exception as error:  # as in _perform; the next failure tries again
            _log.debug("%s: while mending: %r", self.title, error)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _peer(self, node: str) -> Peer:
        peer = self._peers.get(node)
        if peer is None:
            title = f"{self.title} ({node})" if node else self.title
            peer = self._peers[node] = Peer(title, self._count)
        return peer
