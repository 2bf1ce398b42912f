"""What models behind a stack take, whoever can be asked."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from time import monotonic
from typing import TypeAlias

from tritonkit.client.layers.tiers.allotment import allotted
from tritonkit.client.signature import Signature
from tritonkit.client.signatures import Signatures
from tritonkit.client.stack import Target, Transport
from tritonkit.errors import ConfigError, DeadlineExceeded, RequestError

__all__ = ["HEAD_START", "RENEW", "Inquiry"]

HEAD_START = 0.25
"""
Seconds that a server has before the next one is asked as well, as RFC 8305 has it for
addresses: a question costs nothing, so two that answer are no loss.
"""

RENEW = 5.0
"""Seconds after which the best server is asked again, where another one answered."""

_LONGEST = 30.0

_Key: TypeAlias = tuple[str, str]
_Ask: TypeAlias = "asyncio.Task[Signature]"


class Inquiry:
    """
    The signatures of models that several servers may answer for.

    What the best target says is known until it is asked anew. Where it is away, or has
    no such model, the next one is asked, and what that one says holds while the
    best is asked again in the background, every few seconds.

    Args:
        targets: Where a request for a model of a version may go, the best first.
        clock: Seconds that only grow, of the asking again.
    """

    def __init__(
        self,
        targets: Callable[[str, str], Sequence[Target]],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._targets = targets
        self._clock = clock
        self._servers: dict[Transport, Signatures] = {}
        self._known: dict[_Key, Signature] = {}
        # Known from another than the best, and when that one is to be asked again.
        self._lent: dict[_Key, float] = {}
        self._asks: dict[tuple[asyncio.AbstractEventLoop, Transport, str, str], _Ask] = {}
        # Those of which somebody waited for an answer long enough.
        self._silent: set[_Ask] = set()
        self._closed = False

    def known(self, model: str, version: str) -> Signature | None:
        """What was said last; None if nobody was asked yet. From any thread."""
        return self._known.get((model, version))

    def renew(self, model: str, version: str) -> None:
        """Where another server's answer is used, ask the best one now and then; nobody waits."""
        if not self._lent:
            return
        key, now = (model, version), self._clock()
        if self._lent.get(key, inf) <= now:
            self._lent[key] = now + RENEW
            best = self._targets(model, version)[0]
            self._ask(best).add_done_callback(partial(self._learn, key, best=True))

    async def read(
        self, model: str, version: str, deadline: float | None, *, spare: bool = False
    ) -> Signature:
        """
        Ask anew, the best first.

        A target that does not answer within its timeout, its share of the time or
        `HEAD_START` is not waited for alone, nor by those who ask after that.

        Args:
            model: As the caller names it.
            version: Likewise.
            deadline: Of the caller. Where there are several to ask, a share of
                the time is left for what follows.
            spare: Whether to leave that share in any case, for a last resort; it
                stands in at once for those of whom nobody had an answer lately.

        Raises:
            DeadlineExceeded: If nobody answers in time.
            RequestError: If nobody answers: what the best one raised. What was
                known stays.
            ConfigError: If it is closed meanwhile.
        """
        targets = self._targets(model, version)
        key = (model, version)
        if len(targets) == 1 and targets[0].timeout is None and not spare:
            transport, name, asked, _ = targets[0]
            signature = await self._server(transport).read(name, asked, deadline)
            self._known[key] = signature
            return signature
        end = _share(deadline, len(targets) + spare)
        return await self._race(key, targets, end, spare=spare)

    async def reread(self, model: str, version: str, deadline: float | None) -> Signature:
        """The same for a model that may have changed: what is the best one's is not given up."""
        key, targets = (model, version), self._targets(model, version)
        if len(targets) == 1 or key in self._lent or key not in self._known:
            return await self.read(model, version, deadline)
        return await self._race(key, [targets[0].within(HEAD_START)], _share(deadline, 2))

    async def aclose(self) -> None:
        """End the questions of this event loop; who waits for one is told."""
        self._closed = True
        loop = asyncio.get_running_loop()
        asks = [ask for (of_loop, *_), ask in list(self._asks.items()) if of_loop is loop]
        for ask in asks:
            ask.cancel()
        await asyncio.gather(*asks, return_exceptions=True)

    async def _race(
        self, key: _Key, targets: Sequence[Target], end: float, *, spare: bool = False
    ) -> Signature:
        left = deque(targets)
        # Each with the moment until which it is waited for.
        asks: list[tuple[_Ask, float]] = []
        following = 0.0
        while True:
            for ask, _ in asks:
                if ask.done() and not ask.cancelled() and ask.exception() is None:
                    return ask.result()
            if self._closed:
                raise ConfigError("the client is closed")
            now = monotonic()
            if left and now < end and (not asks or asks[-1][0].done() or now >= following):
                timeouts = [target.timeout for target in left]
                share = inf if end == inf else allotted(end - now, timeouts)
                if asks and not asks[-1][0].done():
                    self._silent.add(asks[-1][0])
                target = left.popleft()
                ask = self._ask(target)
                until = end if target.timeout is None else min(end, now + target.timeout)
                silent = ask in self._silent
                ask.add_done_callback(partial(self._learn, key, best=target is targets[0]))
                asks.append((ask, now if silent and spare else until))
                following = now if silent else min(now + min(HEAD_START, share), until)
                continue
            waited = [(ask, until) for ask, until in asks if not ask.done() and now < until]
            if not waited:
                self._silent.update(ask for ask, _ in asks if not ask.done())
                raise self._why(key[0], [ask for ask, _ in asks])
            moment = max(until for _, until in waited)
            if left:
                moment = min(moment, following)
            await asyncio.wait(
                [ask for ask, _ in waited],
                timeout=None if moment == inf else max(0.0, moment - now),
                return_when=asyncio.FIRST_COMPLETED,
            )

    def _ask(self, target: Target) -> _Ask:
        """A question that goes on when nobody waits: its answer serves whoever comes next."""
        loop = asyncio.get_running_loop()
        transport, model, version, _ = target
        place = (loop, transport, model, version)
        ask = self._asks.get(place)
        if ask is None:
            reading = self._server(transport).read(model, version, monotonic() + _LONGEST)
            ask = self._asks[place] = loop.create_task(reading)
            ask.add_done_callback(lambda _: self._asks.pop(place, None))
            ask.add_done_callback(self._silent.discard)
        return ask

    def _learn(self, key: _Key, ask: _Ask, *, best: bool) -> None:
        if ask.cancelled() or ask.exception() is not None:
            return
        if best:
            self._known[key] = ask.result()
            self._lent.pop(key, None)
        elif key not in self._known or key in self._lent:
            self._known[key] = ask.result()
            self._lent.setdefault(key, self._clock() + RENEW)

    def _server(self, transport: Transport) -> Signatures:
        return self._servers.setdefault(transport, Signatures(transport))

    def _why(self, model: str, asks: Sequence[_Ask]) -> BaseException:
        errors = [ask.exception() for ask in asks if ask.done() and not ask.cancelled()]
        for error in errors:
            if error is not None and not isinstance(error, RequestError):
                return error
        if asks and asks[0].done() and errors and errors[0] is not None:
            return errors[0]
        return DeadlineExceeded(
            f"the deadline passed before the metadata of model {model!r} came", model=model
        )


def _share(deadline: float | None, questions: int) -> float:
    """Until when to ask, so that as much as one question has is left, if there are several."""
    if deadline is None:
        return inf
    if questions == 1:
        return deadline
    now = monotonic()
    return now + (deadline - now) * questions / (questions + 1)
