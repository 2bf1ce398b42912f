"""
A day of traffic through gateways, a cache and Tritons that an autoscaler adds and takes away.

Pure: a seed and numbers in, numbers out. Time goes in steps. Within one, requests wait as in
a queue with one line and a server for each core (M/M/c, Erlang's second formula), and what
the cores cannot do waits for the next step or, past a deadline, fails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["Day", "Fleet", "Load", "Outage", "Outcome", "erlang_c", "simulate"]

_SAMPLES = 64
"""Requests of a step whose latency is drawn."""


@dataclass(frozen=True)
class Load:
    """
    Requests of a day.

    Args:
        requests: In all.
        peak: The busiest moment in means of the day, from 1.
        ripple: How far a minute strays from the curve, as a standard deviation.
        step: Seconds.

    Raises:
        ConfigError: If there are no requests, or the peak is below the mean.
    """

    requests: float = 100e6
    peak: float = 2.5
    ripple: float = 0.05
    step: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.requests < math.inf:
            raise ConfigError(f"requests must be a number above 0, but got {self.requests!r}.")
        if not 1 <= self.peak < 1000:
            raise ConfigError(f"peak must be from 1 to 1000 means, but got {self.peak!r}.")

    def rates(self, random: np.random.Generator) -> NDArray[np.float64]:
        """Requests a second in each step, from midnight; least at four, most at sixteen."""
        steps = int(86_400 / self.step)
        hours = np.arange(steps) * self.step / 3600
        # A power of a cosine: of mean 1, with the peak that is asked for.
        wave = (1 + np.cos(2 * np.pi * (hours - 16) / 24)) / 2
        curve = wave ** _power(self.peak)
        minutes = math.ceil(steps * self.step / 60)
        strays = np.exp(random.normal(0.0, self.ripple, minutes))
        curve = curve * strays[(hours * 60).astype(int)]
        rates: NDArray[np.float64] = curve * self.requests / (curve.sum() * self.step)
        return rates


def _power(peak: float) -> float:
    """The power of the wave at which its greatest is *peak* times its mean."""
    wave = (1 + np.cos(np.linspace(-np.pi, np.pi, 10_001))) / 2
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 / float(np.mean(wave**middle)) < peak else (low, middle)
    return low


@dataclass(frozen=True)
class Fleet:
    """
    Pods of Triton, and how the autoscaler of docker/k8s moves them.

    Args:
        cores: Of a pod.
        least: Pods.
        most: Pods.
        utilization: That the autoscaler keeps.
        queue: Seconds of waiting that it keeps, when there is more.
        every: Seconds between two of its looks, and over which it sees the mean.
        start: Seconds from its word until a pod answers: scheduling, loading the models.
        up: Times as many pods in half a minute, at most; four in any case.
        down: Share of the pods that go in a minute, at most.
        patience: Seconds for which fewer pods must do before any goes.
        deadline: Seconds that a request waits.
    """

    cores: int = 2
    least: int = 3
    most: int = 40
    utilization: float = 0.7
    queue: float = 0.02
    every: float = 60.0
    start: float = 60.0
    up: float = 2.0
    down: float = 0.1
    patience: float = 300.0
    deadline: float = 2.0


@dataclass(frozen=True)
class Outage:
    """
    What fails, and when.

    Args:
        at: Seconds since midnight.
        lasts: Seconds.
        pods: Of Triton, that are gone at its beginning; the autoscaler replaces them.
        redis: Whether Redis is away for so long.
    """

    at: float
    lasts: float
    pods: int = 0
    redis: bool = False


@dataclass(frozen=True)
class Day:
    """
    What a request meets.

    Args:
        memory: Share of all requests that a gateway's memory answers.
        shared: Share that Redis answers.
        classes: Of what goes to Triton: its share of all requests, seconds of a core for each.
        hit: Seconds that memory takes; shared_hit and gateway likewise.
        shared_hit: Of an answer from Redis.
        gateway: That layers and transport add to a request that goes on.
    """

    memory: float
    shared: float
    classes: tuple[tuple[float, float], ...]
    hit: float
    shared_hit: float
    gateway: float

    @property
    def work(self) -> float:
        """Seconds of a Triton's core for a request, on average over all of them."""
        return sum(share * seconds for share, seconds in self.classes)

    def without_redis(self) -> Day:
        """What Redis answered is computed, by what computes most."""
        gone = self.shared
        classes = list(self.classes)
        largest = max(range(len(classes)), key=lambda i: classes[i][0])
        share, seconds = classes[largest]
        classes[largest] = (share + gone, seconds)
        return replace(self, shared=0.0, classes=tuple(classes))


@dataclass(frozen=True)
class Outcome:
    """
    Args:
        rates: Requests a second in each step.
        pods: Of Triton that answer, in each step.
        failed: Requests a second that fail, in each step.
        latencies: Drawn in each step, in seconds; one row a step.
        step: Seconds.
        cores: Of a pod.
    """

    rates: NDArray[np.float64]
    pods: NDArray[np.float64]
    failed: NDArray[np.float64]
    latencies: NDArray[np.float64]
    step: float
    cores: int

    @property
    def cpu_hours(self) -> float:
        """Of Triton's pods in the day."""
        return float(self.pods.sum()) * self.cores * self.step / 3600

    @property
    def lost(self) -> float:
        """Requests that failed."""
        return float(self.failed.sum()) * self.step

    def quantiles(
        self, shares: tuple[float, ...], begin: float = 0.0, end: float = 86_400.0
    ) -> list[float]:
        """Of the latencies in a part of the day; a step weighs as many requests as it had."""
        steps = slice(int(begin / self.step), int(end / self.step))
        drawn = self.latencies[steps]
        weights = np.repeat((self.rates - self.failed)[steps], drawn.shape[1])
        flat = drawn.ravel()
        order = np.argsort(flat)
        reached = np.cumsum(weights[order])
        places = np.searchsorted(reached, np.array(shares) * reached[-1])
        return [float(each) for each in flat[order][places]]


def erlang_c(cores: NDArray[np.float64], load: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    The share of requests that wait, with so many *cores* and a *load* in cores.

    By Erlang's first formula, B(c) = a B(c-1) / (c + a B(c-1)); 1 where the load is more.
    """
    most = int(cores.max(initial=1))
    blocked = np.ones_like(load)
    found = np.ones_like(load)
    for number in range(1, most + 1):
        blocked = load * blocked / (number + load * blocked)
        found = np.where(cores == number, blocked, found)
    spare = cores - load
    waits: NDArray[np.float64] = np.where(
        spare <= 0, 1.0, cores * found / np.maximum(spare + load * found, 1e-12)
    )
    return np.clip(waits, 0.0, 1.0)


def simulate(
    load: Load, day: Day, fleet: Fleet, outages: tuple[Outage, ...] = (), *, seed: int
) -> Outcome:
    """One day."""
    random = np.random.default_rng(seed)
    rates = load.rates(random)
    step, steps = load.step, len(rates)
    times = np.arange(steps) * step
    away = np.zeros(steps, dtype=bool)
    for outage in outages:
        if outage.redis:
            away |= (times >= outage.at) & (times < outage.at + outage.lasts)
    poorer = day.without_redis()
    work = np.where(away, poorer.work, day.work) * rates
    pods, backlog, failed = _scaled(work, rates, day, fleet, outages, step)
    latencies = _drawn(random, rates, work, pods, backlog, away, day, poorer, fleet)
    return Outcome(rates, pods, failed, latencies, step, fleet.cores)


def _scaled(
    work: NDArray[np.float64],
    rates: NDArray[np.float64],
    day: Day,
    fleet: Fleet,
    outages: tuple[Outage, ...],
    step: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Pods, seconds of work that wait for each core, and failures a second; step by step."""
    steps = len(work)
    pods, waiting, failed = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    mean = float(work[: max(1, int(fleet.every / step))].mean())
    ready = min(fleet.most, max(fleet.least, math.ceil(mean / fleet.cores / fleet.utilization)))
    starting: list[tuple[float, int]] = []
    wanted_lately: list[tuple[float, int]] = []
    ended: list[tuple[float, int]] = []
    backlog, look = 0.0, 0.0
    gone = {int(outage.at / step): outage.pods for outage in outages if outage.pods}
    window = max(1, int(fleet.every / step))
    for i in range(steps):
        now = i * step
        ready += sum(count for at, count in starting if at <= now)
        starting = [each for each in starting if each[0] > now]
        if i in gone:
            ready -= gone[i]
            # Its controller starts as many at once.
            starting.append((now + fleet.start, gone[i]))
        pods[i] = ready
        power = max(ready, 1) * fleet.cores
        backlog = max(0.0, backlog + (work[i] - power) * step)
        if backlog > power * fleet.deadline:
            lost = backlog - power * fleet.deadline
            backlog = power * fleet.deadline
            failed[i] = min(rates[i], lost / step / (work[i] / rates[i]))
        waiting[i] = backlog / power
        if now >= look:
            look = now + fleet.every / 2
            seen = slice(max(0, i - window + 1), i + 1)
            total = ready + sum(count for _, count in starting)
            busy = float(np.minimum(work[seen], pods[seen] * fleet.cores).mean())
            wanted = math.ceil(busy / fleet.cores / fleet.utilization)
            queue = float(waiting[seen].mean())
            if queue > fleet.queue:
                wanted = max(wanted, math.ceil(ready * queue / fleet.queue))
            wanted = min(fleet.most, max(fleet.least, wanted))
            wanted_lately = [each for each in wanted_lately if each[0] > now - fleet.patience]
            wanted_lately.append((now, wanted))
            if wanted > total:
                more = min(wanted - total, max(4, int(total * (fleet.up - 1))))
                starting.append((now + fleet.start, more))
            else:
                # The most that was wanted in the last minutes.
                held = max(count for _, count in wanted_lately)
                ended = [each for each in ended if each[0] > now - 60]
                before = sum(count for _, count in ended)
                may = ready + before - math.floor((ready + before) * (1 - fleet.down)) - before
                if held < ready and not starting and may > 0:
                    ended.append((now, min(ready - held, may)))
                    ready -= ended[-1][1]
    return pods, waiting, failed


def _drawn(
    random: np.random.Generator,
    rates: NDArray[np.float64],
    work: NDArray[np.float64],
    pods: NDArray[np.float64],
    backlog: NDArray[np.float64],
    away: NDArray[np.bool_],
    day: Day,
    poorer: Day,
    fleet: Fleet,
) -> NDArray[np.float64]:
    """Latencies of some requests of each step."""
    steps = len(rates)
    found = np.empty((steps, _SAMPLES))
    for state, mask in ((day, ~away), (poorer, away)):
        if not mask.any():
            continue
        count = int(mask.sum())
        cores = pods[mask] * fleet.cores
        asked = sum(share for share, _ in state.classes)
        mean = state.work / asked
        load = np.minimum(work[mask], cores * 0.999)
        waits = erlang_c(cores, load)
        pace = (cores - load) / mean
        drawn = random.random((count, _SAMPLES))
        shares = np.array([state.memory, state.shared, *(share for share, _ in state.classes)])
        kind = np.searchsorted(np.cumsum(shares / shares.sum())[:-1], drawn, side="right")
        # Cores that others share: an exponential on top of what the work itself takes.
        base = np.array(
            [state.hit, state.shared_hit, *(s + state.gateway for _, s in state.classes)]
        )
        taken = base[kind] * (0.75 + 0.25 * random.exponential(size=kind.shape))
        queued = random.random(kind.shape) < waits[:, None]
        wait = np.where(queued, random.exponential(size=kind.shape) / pace[:, None], 0.0)
        wait = np.minimum(wait + backlog[mask][:, None], fleet.deadline)
        taken += np.where(kind >= 2, wait, 0.0)
        found[mask] = taken
    return found
