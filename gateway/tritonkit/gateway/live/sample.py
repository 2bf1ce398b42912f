"""What went through one worker in one span of time, to be added to what went through others."""

from __future__ import annotations

import json
import struct
from collections import Counter
from typing import Self

from tritonkit.client.statistics.latency import LatencySketch
from tritonkit.client.trace import COALESCED, MODEL
from tritonkit.errors import ConfigError
from tritonkit.gateway.passed import Passed

__all__ = ["MOST_NAMES", "OTHER", "Sample", "tier_of"]

MOST_NAMES = 64
"""Tiers, origins or reasons of one sample that are told apart: what is beyond is "other"."""

OTHER = "other"

_LONGEST = 120
"""Characters of a name. Reasons quote errors, which have no bound of their own."""

_VERSION = 2
_LENGTH = struct.Struct("<HI")
_COUNTERS = ("requests", "errors", "refused", "cost")


class Sample:
    """
    Counts and latencies of requests; merged with another one it is that of both.

    Attributes:
        requests: That were answered, errors among them.
        errors: With a status of 400 or more.
        refused: Those of them with a status under 500, which is the caller's matter: what was
            wrong, more than may be, or not waited for.
        cost: Of all of them, in millionths.
        in_flight: Requests that waited, times the seconds for which they did.
        origins: Rows by where they came from.
        degraded: Answers by model and reason.
        tiers: Latencies by what answered, without those of errors.
    """

    __slots__ = (
        "cost",
        "degraded",
        "errors",
        "in_flight",
        "origins",
        "refused",
        "requests",
        "tiers",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.refused = 0
        self.cost = 0
        self.in_flight = 0.0
        self.origins: Counter[str] = Counter()
        self.degraded: Counter[tuple[str, str]] = Counter()
        self.tiers: dict[str, LatencySketch] = {}

    def __repr__(self) -> str:
        return f"Sample(requests={self.requests}, errors={self.errors})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sample):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def count(self, passed: Passed) -> None:
        """One request went through."""
        self.requests += 1
        self.cost += passed.cost
        origins = passed.origins
        if origins:
            for origin, rows in origins.items():
                self.origins[_room(self.origins, origin)] += rows
        elif passed.rows and not passed.error:
            self.origins[MODEL] += passed.rows
        if passed.degraded:
            reason = passed.degraded[:_LONGEST]
            if (passed.model, reason) in self.degraded or len(self.degraded) < MOST_NAMES:
                self.degraded[passed.model[:_LONGEST], reason] += 1
            else:
                self.degraded[OTHER, OTHER] += 1
        if passed.status >= 400 or passed.error:
            self.errors += 1
            self.refused += 400 <= passed.status < 500
            return
        tier = _room(self.tiers, tier_of(passed))
        sketch = self.tiers.get(tier)
        if sketch is None:
            sketch = self.tiers[tier] = LatencySketch()
        sketch.record(int(passed.seconds * 1e9))

    def merge(self, other: Sample) -> None:
        """Add what *other* has counted."""
        self.requests += other.requests
        self.errors += other.errors
        self.refused += other.refused
        self.cost += other.cost
        self.in_flight += other.in_flight
        for origin, rows in other.origins.items():
            self.origins[_room(self.origins, origin)] += rows
        for key, answers in other.degraded.items():
            known = key in self.degraded or len(self.degraded) < MOST_NAMES
            self.degraded[key if known else (OTHER, OTHER)] += answers
        for name, latencies in other.tiers.items():
            tier = _room(self.tiers, name)
            sketch = self.tiers.get(tier)
            if sketch is None:
                self.tiers[tier] = latencies.copy()
            else:
                sketch.merge(latencies)

    @property
    def rows(self) -> int:
        """Of all requests."""
        return self.origins.total()

    @property
    def hit_share(self) -> float | None:
        """
        The share of rows that something had kept; None without rows.

        A row that another request was asking for already was computed, so it is no hit.
        """
        rows = self.rows
        computed = self.origins[MODEL] + self.origins[COALESCED]
        return (rows - computed) / rows if rows else None

    @property
    def cost_per_success(self) -> float | None:
        """Millionths for each answer that is no error; None without any."""
        answered = self.requests - self.errors
        return self.cost / answered if answered else None

    def to_bytes(self) -> bytes:
        """For a file; some hundred bytes and as many for each tier."""
        sketches = {tier: sketch.to_bytes() for tier, sketch in self.tiers.items()}
        head = {name: getattr(self, name) for name in _COUNTERS}
        head |= {
            "in_flight": self.in_flight,
            "origins": dict(self.origins),
            "degraded": [[*key, answers] for key, answers in self.degraded.items()],
            "tiers": {tier: len(data) for tier, data in sketches.items()},
        }
        text = json.dumps(head, separators=(",", ":")).encode()
        return b"".join((_LENGTH.pack(_VERSION, len(text)), text, *sketches.values()))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """
        Read what `to_bytes` wrote.

        Raises:
            ConfigError: If it did not, or another version did.
        """
        try:
            version, length = _LENGTH.unpack_from(data)
            if version != _VERSION:
                raise ConfigError(f"a Sample must be of version {_VERSION}, but got {version}.")
            place = _LENGTH.size + length
            head = json.loads(data[_LENGTH.size : place])
            made = cls()
            for name in _COUNTERS:
                setattr(made, name, int(head[name]))
            made.in_flight = float(head["in_flight"])
            made.origins.update({str(name): int(rows) for name, rows in head["origins"].items()})
            for model, reason, answers in head["degraded"]:
                made.degraded[str(model), str(reason)] = int(answers)
            for tier, size in head["tiers"].items():
                made.tiers[tier] = LatencySketch.from_bytes(data[place : place + size])
                place += size
            if place != len(data):
                raise ConfigError(f"a Sample of {place} bytes must be whole, but got {len(data)}.")
        except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"these {len(data)} bytes are no Sample: {error}") from error
        return made


def tier_of(passed: Passed) -> str:
    """
    What answered: the store where all rows came from one, else the route, else the model.

    Of rows that came from several the slowest way decides, which is the model's.
    """
    origins = passed.origins
    if len(origins) == 1 and MODEL not in origins:
        return next(iter(origins))
    if passed.tier:
        return passed.tier
    if passed.route == "forwarded":
        return passed.route
    return MODEL if not origins or MODEL in origins else "mixed"


def _room(names: object, name: str) -> str:
    """*name* as it is counted: "other" where there is no room for another one."""
    assert isinstance(names, dict)
    name = name[:_LONGEST]
    return name if name in names or len(names) < MOST_NAMES else OTHER
