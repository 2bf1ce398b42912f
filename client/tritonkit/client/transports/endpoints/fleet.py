"""Which of several endpoints is asked."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterable, Sequence

from tritonkit.client.placement import Placement
from tritonkit.client.transports.endpoints.health import HealthPolicy
from tritonkit.client.transports.endpoints.member import Attempt, Member, ModelKey

__all__ = ["Fleet"]

_ALIKE = 2.0
"""Latencies that differ by less than this factor are taken for equal."""

_NOISE = 0.001
"""Seconds by which latencies differ for no reason."""

_IDLE = 30.0
"""Seconds after the last call in which what is out is still probed."""


class Fleet:
    """
    The endpoints and the choice between them. Seconds come as arguments.

    Args:
        names: What the endpoints are called; each once.
        policy: What counts as ill.
        patience: Seconds of silence that make an endpoint suspect.
        max_ejected: The most that may be out at a time, as a share of those that
            have the model, 0 to 1. The last one is never out.
        rng: Breaks ties.
    """

    def __init__(
        self,
        names: Iterable[str],
        policy: HealthPolicy,
        *,
        patience: float,
        max_ejected: float,
        rng: random.Random,
    ) -> None:
        self._policy, self._patience = policy, patience
        self._max_ejected, self._rng = max_ejected, rng
        # When each model was asked for last, wherever.
        self._used: dict[ModelKey, float] = {}
        self.members: dict[str, Member] = {}
        self.replace(names)

    def replace(self, names: Iterable[str]) -> list[Member]:
        """Be these endpoints from now on, in this order; returns those that are no more."""
        before = self.members
        self.members = {
            name: before.get(name) or Member(name, self._policy, patience=self._patience)
            for name in names
        }
        return [member for name, member in before.items() if name not in self.members]

    def usable(self, key: ModelKey) -> list[Member]:
        """
        Those that may be asked for a model; never none.

        Those that do not have the model are asked only where none has it. Of the
        others the ill ones are left out, as far as *max_ejected* allows; beyond it
        those that have been out the longest are asked all the same.
        """
        having = [member for member in self.members.values() if member.has(key)]
        if not having:
            having = list(self.members.values())
        out = {member: since for member in having if (since := member.out_since(key)) is not None}
        if not out:
            return having
        allowed = min(int(self._max_ejected * len(having) + 1e-9), len(having) - 1)
        for member in sorted(out, key=out.__getitem__)[: len(out) - allowed]:
            del out[member]
        return [member for member in having if member not in out]

    def choose(
        self,
        key: ModelKey,
        now: float,
        tried: Collection[Member] = (),
        wishes: Sequence[Placement] = (),
    ) -> Member | None:
        """
        The endpoint for the next call: of two at random the one that will be free first.

        Args:
            key: The model and its version.
            now: Seconds.
            tried: Those that refused the call already; None is left when all did.
            wishes: Of the layers above; one that none suits is passed over.
        """
        usable = self.usable(key)
        if tried:
            usable = [member for member in usable if member not in tried and member.has(key)]
        if not usable:
            # Rather one that is ill than none.
            usable = [
                member
                for member in self.members.values()
                if member not in tried and member.has(key)
            ]
        for wish in wishes:
            usable = [member for member in usable if wish.suits(member.name)] or usable
        if len(usable) < 2:
            return usable[0] if usable else None
        # As rng.sample(usable, 2), in a fifth of its time.
        one = int(self._rng.random() * len(usable))
        other = int(self._rng.random() * (len(usable) - 1))
        first, second = usable[one], usable[other + (other >= one)]
        return second if _busier(first, second, key, now) else first

    def pinned(self, key: ModelKey, what: str) -> Member:
        """The endpoint of a sequence: the same as long as the endpoints are the same."""
        return max(
            self.members.values(),
            key=lambda member: hashlib.sha256(f"{member.name}\0{key}\0{what}".encode()).digest(),
        )

    def begin(
        self, member: Member, key: ModelKey, now: float, *, question: bool = False
    ) -> Attempt:
        """A call, or a question, goes to *member*."""
        self._used[key] = now
        return member.begin(key, now, question=question)

    def due(self, now: float) -> list[tuple[Member, ModelKey | None]]:
        """The probes whose turn has come; None in the place of a model is the endpoint itself."""
        self._forget_unused(now)
        if not self._used and not self.outstanding():
            return []
        return [(m, key) for m in self.members.values() for key in m.due(now, self._used)]

    def watched(self, now: float) -> bool:
        """Whether a probe may be due later without another call."""
        members = self.members.values()
        if any(member.attempts for member in members):
            return True
        self._forget_unused(now)
        return bool(self._used) and any(member.ill() or member.waiting() for member in members)

    def _forget_unused(self, now: float) -> None:
        for key in [key for key, at in self._used.items() if now - at >= _IDLE]:
            del self._used[key]

    def outstanding(self) -> int:
        """Calls in flight, all endpoints together."""
        return sum(member.outstanding for member in self.members.values())


def _busier(one: Member, other: Member, key: ModelKey, now: float) -> bool:
    """Whether *one* will be free later than *other*."""
    known, others = one.latency(key, now), other.latency(key, now)
    # Who is not known is taken to be as fast as the other, until he makes a call wait.
    mine = others if known is None else known
    its = known if others is None else others
    if mine is None or its is None:
        return one.outstanding > other.outstanding
    mine, its = max(mine, one.taken(key, now)), max(its, other.taken(key, now))
    if abs(mine - its) <= _NOISE or (mine < _ALIKE * its and its < _ALIKE * mine):
        return one.outstanding > other.outstanding
    return (one.outstanding + 1) * mine > (other.outstanding + 1) * its
