"""Whether to ask a service that lately failed: a state machine without a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias

from tritonkit.client.layers.recent import Recent
from tritonkit.units import format_duration

__all__ = ["Circuit", "Limits", "Permit", "State"]

State: TypeAlias = Literal["closed", "open", "half-open"]

_CALLS, _FAILED, _SLOW = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    When a circuit opens, and for how long. Rates are 0 to 1, times are seconds.

    Args:
        failure_rate: The share of failed calls that opens it; at 0 any failure does.
        slow: A call that takes so long is slow; None for none.
        slow_rate: The share of slow calls that opens it; at 0 any slow call does.
        min_calls: In the window, before a rate means anything.
        window: How far back calls count.
        open_for: How long it is open the first time.
        max_open_for: What doubling, once each time that probes fail, ends at.
        probes: How many calls decide whether it closes, and may be under way
            at once until they have.
        probe_timeout: After which the permit of a probe that has not come back
            is another's.
    """

    failure_rate: float
    slow: float | None
    slow_rate: float
    min_calls: int
    window: float
    open_for: float
    max_open_for: float
    probes: int
    probe_timeout: float


@dataclass(slots=True, eq=False)
class Permit:
    """
    The right to ask once, whose outcome is to be told.

    Args:
        generation: The state that gave it; in a later one its outcome says nothing.
        began: When it was given.
        probe: Whether it helps to decide if the circuit closes.
        over: Whether its outcome is known; only the first one counts.
    """

    generation: int
    began: float
    probe: bool
    over: bool = False


class Circuit:
    """
    Closed, it lets everybody ask. Open, nobody. Half-open, as many as there are probes.

    Closed, it opens when of the last window's calls, if they are enough, too
    many failed or were slow. Open, it waits; half-open, it judges the probes by
    the same rates: it closes, or is open again for twice as long. How long it is
    open is a random time between half of that and all of it, so that many clients
    do not probe in step.

    It belongs to one thread at a time. Every time is a number of seconds of one clock.
    """

    def __init__(self, limits: Limits, random: Random) -> None:
        self.reason = ""
        """Why it opened last."""
        self._limits = limits
        self._random = random
        self._recent = Recent(limits.window, 3)
        self._state: State = "closed"
        self._generation = 0
        self._until = 0.0
        self._openings = 0
        self._probes: list[Permit] = []
        self._probed = [0, 0, 0]

    def state(self, now: float) -> State:
        """What it is now."""
        if self._state == "open" and now >= self._until:
            return "half-open"
        return self._state

    def begin(self, now: float) -> Permit | None:
        """A permit, or None while there is none."""
        if self._state == "closed":
            return Permit(self._generation, now, probe=False)
        if self._state == "open":
            if now < self._until:
                return None
            self._become("half-open")
        timeout = self._limits.probe_timeout
        self._probes = [probe for probe in self._probes if now - probe.began < timeout]
        if len(self._probes) + self._probed[_CALLS] >= self._limits.probes:
            return None
        probe = Permit(self._generation, now, probe=True)
        self._probes.append(probe)
        return probe

    def retry_after(self, now: float) -> float:
        """Seconds until it is probed; 0 where it is being probed, or may be."""
        return max(0.0, self._until - now) if self._state == "open" else 0.0

    def succeed(self, permit: Permit, now: float) -> bool:
        """The service answered; returns whether it opened the circuit by being slow."""
        return self._ends(permit) and self._count(permit, now, failed=False)

    def fail(self, permit: Permit, now: float) -> bool:
        """The service failed; returns whether that opened the circuit."""
        return self._ends(permit) and self._count(permit, now, failed=True)

    def forget(self, permit: Permit, now: float) -> bool:
        """The outcome says nothing about the service, and a probe is free again."""
        self._ends(permit)
        return False

    def _ends(self, permit: Permit) -> bool:
        if permit.over:
            return False
        permit.over = True
        if permit.generation != self._generation:
            return False
        if permit in self._probes:
            self._probes.remove(permit)
        return True

    def _count(self, permit: Permit, now: float, *, failed: bool) -> bool:
        limits = self._limits
        slow = limits.slow is not None and now - permit.began >= limits.slow
        if permit.probe:
            for kind, counts in ((_CALLS, True), (_FAILED, failed), (_SLOW, slow)):
                self._probed[kind] += counts
            # Those that are still to come count as good: only what is certain opens it.
            verdict = self._verdict(limits.probes, *self._probed[1:])
            if not verdict and self._probed[_CALLS] >= limits.probes:
                self._openings = 0
                self._become("closed")
        else:
            self._recent.add(now, _CALLS)
            if failed:
                self._recent.add(now, _FAILED)
            if slow:
                self._recent.add(now, _SLOW)
            calls, failures, slows = self._recent.sums(now)
            verdict = self._verdict(calls, failures, slows) if calls >= limits.min_calls else ""
        if not verdict:
            return False
        self.reason = verdict
        self._open(now)
        return True

    def _verdict(self, calls: int, failures: int, slows: int) -> str:
        """Why it is to open; empty where it is not."""
        limits = self._limits
        kind = "probes" if self._state == "half-open" else "calls"
        # Divided, for 7 of 100 is 7 %, and 0.07 * 100 is more than 7.
        if failures and failures / calls >= limits.failure_rate:
            return f"{failures} of {calls} {kind} failed"
        if slows and slows / calls >= limits.slow_rate:
            return f"{slows} of {calls} {kind} took {format_duration(limits.slow or 0.0)} or longer"
        return ""

    def _open(self, now: float) -> None:
        # 2.0 ** 1024 is no float; the cap is reached long before.
        longest = min(
            self._limits.open_for * 2.0 ** min(self._openings, 64), self._limits.max_open_for
        )
        self._openings += 1
        self._until = now + self._random.uniform(longest / 2, longest)
        self._become("open")

    def _become(self, state: State) -> None:
        self._state = state
        self._generation += 1
        self._recent.clear()
        self._probes = []
        self._probed = [0, 0, 0]
