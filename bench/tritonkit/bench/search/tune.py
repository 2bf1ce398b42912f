"""Finds the best of many points with few measurements: asked for trials, told what they gave."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.search.judgement import Estimate
from tritonkit.bench.search.knowledge import Knowledge, Seen
from tritonkit.bench.search.objective import Objective
from tritonkit.bench.search.outlook import Outlook, Prior, look_out
from tritonkit.bench.search.surrogate import Belief, encode
from tritonkit.bench.search.trial import Budget, Found, Purpose, Told, Trial
from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration

__all__ = ["MAX_CANDIDATES", "Tuner", "factors_of"]

_Floats = NDArray[np.float64]

MAX_CANDIDATES = 2000
"""More are a plan for another day: even a quarter of a hundredth of it takes hours."""

_WORTH_MEASURING = 0.002
"""The expected gain, as a share, below which measuring on is not worth it."""

_WORTH_ALL = 0.05
"""The expected gain, as a share, that is worth what is kept for the verification."""

_VERIFICATIONS = 3
_MOST_LOOKS = 3
"""At a candidate that was verified in vain, before the one that asks it for the last time."""


class Tuner:
    """
    Chooses what to measure next, until the best is found.

    The first trials are spread over all settings. Then two Gaussian processes, of
    the figure and of the distance from the target, say of each candidate how likely
    it is to be the best; around a model of the server where a prior gives one. The
    candidate with the largest expected improvement for its time is measured next, a
    second time for twice as long. When no candidate promises more than 0.2 %, or one
    is the best with `confidence`, it is verified by a longer run; the search goes on
    where that run contradicts what was believed.

    It holds no clock and awaits nothing: the same answers give the same trials.

    Args:
        candidates: Points to choose from.
        objective: What is to be best, and what must hold.
        prior: What is known without measuring.
        budget: When to end at the latest; 0 or more of it is kept for verifying.
        seconds: Of a first measurement of a point.
        change_seconds: What a change of settings takes, with the warm-up after it.
        warmup: Seconds before each measurement.
        verify_seconds: Of the last run; twice `seconds` if not given.
        confidence: How sure is sure enough.
        tolerance: The share by which another candidate may be better.
        seed: Of the first trials and the draws.
    """

    def __init__(
        self,
        candidates: Sequence[Point],
        objective: Objective,
        *,
        prior: Prior | None = None,
        budget: Budget | None = None,
        seconds: float = 5.0,
        change_seconds: float = 3.0,
        warmup: float = 1.0,
        verify_seconds: float | None = None,
        confidence: float = 0.9,
        tolerance: float = 0.02,
        seed: int = 0,
    ) -> None:
        if not candidates:
            raise ConfigError("there is no candidate to choose from.")
        if len(candidates) > MAX_CANDIDATES:
            raise ConfigError(
                f"the space holds {len(candidates):,} points, and at most {MAX_CANDIDATES:,} are "
                "searched; name fewer values."
            )
        if not seconds > 0:
            raise ConfigError(f"seconds must be positive, but got {seconds}.")
        if not 0 < confidence < 1:
            raise ConfigError(f"confidence must be between 0 and 1, but got {confidence}.")
        if not 0 <= tolerance < 1:
            raise ConfigError(f"tolerance must be 0 or more and below 1, but got {tolerance}.")
        self.candidates = tuple(candidates)
        self.objective = objective
        self._prior = prior
        self.budget = budget or Budget(measurements=max(len(candidates) / 4, 4.0))
        self._seconds = seconds
        self._change_seconds = change_seconds
        self._warmup = warmup
        self._verify_seconds = 2 * seconds if verify_seconds is None else verify_seconds
        self._confidence = confidence
        self._tolerance = tolerance
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._places = encode([factors_of(point) for point in candidates])
        self._settings = [tuple(sorted(point.settings.items())) for point in candidates]
        self._known = Knowledge(objective)
        self._seen = self._known.seen
        self._out: set[int] = set()
        self._told: list[Told] = []
        self._verified: dict[int, Trial] = {}
        self._spent = 0.0
        self._spent_seconds = 0.0
        self._asked: Trial | None = None
        self._done = False
        self._last_settings: tuple[tuple[str, str], ...] | None = None
        self._first = self._spread(self._first_count())

    def ask(self) -> Trial | None:
        """
        What to measure next; None at the end.

        The same until it is told.
        """
        if self._asked is None and not self._done:
            self._asked = self._next()
            self._done = self._asked is None
        return self._asked

    def tell(
        self,
        trial: Trial,
        measurement: Measurement | None,
        *,
        failure: str = "",
        seconds: float | None = None,
    ) -> None:
        """
        What a trial gave.

        Args:
            trial: From `ask`, or of an earlier search over the same candidates.
            measurement: None where the server refused the settings or ended; every
                candidate with these settings is left out from then on.
            failure: Why there is none.
            seconds: It took altogether; what was planned if not given.
        """
        self._asked, self._done = None, False
        self._told.append(Told(trial=trial, measurement=measurement, failure=failure))
        self._spent += trial.seconds / self._seconds if measurement is not None else 0.5
        self._spent_seconds += self._cost(trial) if seconds is None else seconds
        settings = self._settings[trial.candidate]
        self._last_settings = settings
        if measurement is None:
            self._out |= {i for i, other in enumerate(self._settings) if other == settings}
            return
        self._known.add(trial.candidate, measurement, trial.seconds)
        if trial.purpose == "verify":
            self._verified[trial.candidate] = trial

    @property
    def longest(self) -> float:
        """Seconds that the budget's measurements take if each changes settings."""
        if self.budget.measurements is None:
            return self.budget.seconds or 0.0
        one = self._seconds + self._warmup + self._change_seconds
        return self.budget.measurements * one

    @property
    def spent(self) -> float:
        """Measurements of the base duration so far."""
        return self._spent

    def found(self) -> Found:
        """What is known by now."""
        beliefs = self._beliefs()
        best, sure, holds = None, 0.0, 0.0
        if beliefs is not None:
            outlook = self._outlook(*beliefs)
            best, sure = outlook.incumbent, outlook.sure
            if best is not None:
                holds = self.objective.target.probability(self._longest(best))
        closest = None
        if best is None and self._seen:
            margin = self.objective.target.margin
            closest = max(self._seen, key=lambda i: margin(self._longest(i)).mean)
        shown = closest if best is None else best
        trial = None if best is None else self._verified.get(best)
        return Found(
            best=None if best is None else self.candidates[best],
            measurement=None if shown is None else self._seen[shown].longest,
            verified=trial is not None,
            predicted=None if trial is None else trial.expected,
            sure=sure,
            holds=holds,
            closest=None if closest is None else self.candidates[closest],
            tried=tuple(self._told),
            spent=self._spent,
            candidates=len(self.candidates),
        )

    # Choosing.

    def _next(self) -> Trial | None:
        while self._first:
            index = self._first.pop(0)
            if index not in self._out and index not in self._seen:
                trial = self._trial(index, self._seconds, "explore")
                return trial if self._affordable(trial, keep=False) else self._last(None)
        beliefs = self._beliefs()
        if beliefs is None:
            left = [i for i in range(len(self.candidates)) if i not in self._out | set(self._seen)]
            if not left:
                return None
            trial = self._trial(int(self._rng.choice(left)), self._seconds, "explore")
            return trial if self._affordable(trial, keep=False) else None
        outlook = self._outlook(*beliefs)
        if outlook.hopeless:
            return None
        if outlook.incumbent is not None and (
            outlook.sure >= self._confidence or outlook.promise < _WORTH_MEASURING
        ):
            return self._last(outlook)
        if outlook.next is None:
            return self._last(outlook)
        index = outlook.next
        again = self._seen.get(index)
        seconds = self._seconds if again is None else 2 * again.seconds
        seconds = min(seconds, max(self._verify_seconds, self._seconds))
        purpose: Purpose = "explore" if again is None else "refine"
        trial = self._trial(index, seconds, purpose, beliefs)
        # With nothing left for both, a look at what may be much better tells more than a
        # second one at what is known.
        keep = outlook.promise < _WORTH_ALL
        return trial if self._affordable(trial, keep=keep) else self._last(outlook)

    def _last(self, outlook: Outlook | None) -> Trial | None:
        """Verify the best, if it was not and there is time."""
        beliefs = self._beliefs()
        if beliefs is None:
            return None
        best = (outlook or self._outlook(*beliefs)).incumbent
        if best is None or best in self._verified or len(self._verified) >= _VERIFICATIONS:
            return None
        for seconds in (self._verify_seconds, self._seconds):
            trial = self._trial(best, seconds, "verify", beliefs)
            if self._affordable(trial, keep=False):
                return trial
        return None

    def _trial(
        self,
        index: int,
        seconds: float,
        purpose: Purpose,
        beliefs: tuple[Belief, Belief] | None = None,
    ) -> Trial:
        expected = hopeful = None
        if beliefs is not None:
            gain, margin = beliefs
            expected = self.objective.worth(float(gain.mean[index]))
            hopeful = Estimate(float(margin.mean[index]), float(margin.spread[index])).above(0.0)
        return Trial(
            candidate=index,
            point=self.candidates[index],
            seconds=seconds,
            purpose=purpose,
            expected=expected,
            hopeful=hopeful,
        )

    def _cost(self, trial: Trial) -> float:
        changed = self._settings[trial.candidate] != self._last_settings
        return trial.seconds + self._warmup + (self._change_seconds if changed else 0.0)

    def _affordable(self, trial: Trial, *, keep: bool) -> bool:
        """Whether the budget bears it, with a verification after it if *keep*."""
        # What is left for the verification may be short.
        kept = self._seconds if keep else 0.0
        measurements, seconds = self.budget.measurements, self.budget.seconds
        wanted = (trial.seconds + kept) / self._seconds
        if measurements is not None and self._spent + wanted > measurements + 1e-9:
            return False
        if seconds is None:
            return True
        reserve = kept + self._change_seconds + self._warmup if keep else 0.0
        return self._spent_seconds + self._cost(trial) + reserve <= seconds + 1e-9

    def _first_count(self) -> int:
        """Enough to see every setting change once, and no more than half of the budget."""
        # A model of the server knows what settings do; it needs to know the server.
        wanted = 4 if self._prior is not None else int(self._places.shape[1]) + 3
        bears = self.budget.measurements
        if bears is None:
            assert self.budget.seconds is not None
            bears = self.budget.seconds / (self._seconds + self._warmup + self._change_seconds)
        return max(min(wanted, int(bears / 2), len(self.candidates)), 1)

    def _spread(self, count: int) -> list[int]:
        """
        Candidates that lie far from each other, the first near the middle.

        Those with the same settings come one after the other.
        """
        places = self._places
        middle = ((places - 0.5) ** 2).sum(axis=1) + 1e-6 * self._rng.random(len(places))
        chosen = [int(middle.argmin())]
        distance = np.full(len(places), math.inf)
        while len(chosen) < count:
            away = ((places - places[chosen[-1]]) ** 2).sum(axis=1)
            distance = np.minimum(distance, away)
            chosen.append(int(np.argmax(distance + 1e-6 * self._rng.random(len(places)))))
        by_settings: dict[tuple[tuple[str, str], ...], list[int]] = {}
        for index in dict.fromkeys(chosen):
            by_settings.setdefault(self._settings[index], []).append(index)
        return [index for group in by_settings.values() for index in group]

    # Believing.

    def _beliefs(self) -> tuple[Belief, Belief] | None:
        return self._known.beliefs(self._places, self._prior)

    def _outlook(self, gain: Belief, margin: Belief) -> Outlook:
        if not self.objective.target.named:
            margin = Belief(np.ones_like(margin.mean), np.zeros_like(margin.covariance))
        alive = [i for i in range(len(self.candidates)) if i not in self._out]
        ripe = [
            index
            for index, seen in self._seen.items()
            if index not in self._out and seen.gains and self._still_holds(index, margin)
        ]
        return look_out(
            gain,
            margin,
            alive=alive,
            measured=[i for i in self._seen if i not in self._out],
            ripe=ripe,
            settled=[i for i, seen in self._seen.items() if self._settled(i, seen)],
            pace=self._pace(),
            tolerance=self._tolerance,
            enough=self._places.shape[1],
            # The same draws whenever it is asked with the same knowledge.
            rng=np.random.default_rng((self._seed, len(self._told))),
        )

    def _settled(self, index: int, seen: Seen) -> bool:
        """
        Whether another measurement would tell little: it was verified, or refined once.

        A single run that breaks the target, against those before it, may be the machine's.
        """
        if index in self._out or (index not in self._verified and seen.count <= 1):
            return False
        kept = sum(margin.mean > 0 for margin in seen.margins)
        doubtful = index in self._verified and seen.margins[-1].mean <= 0
        return not (doubtful and 2 * kept >= seen.count and seen.count <= _MOST_LOOKS)

    def _still_holds(self, index: int, margin: Belief) -> bool:
        """Whether a measured candidate keeps the target as far as is known."""
        if not self.objective.target.named:
            return True
        if index in self._verified:
            return self.objective.target.holds(self._longest(index))
        return float(margin.mean[index]) > 0

    def _longest(self, index: int) -> Measurement:
        longest = self._seen[index].longest
        assert longest is not None
        return longest

    def _pace(self) -> _Floats:
        """How much sooner a candidate is measured than one with other settings."""
        longest = self._seconds + self._warmup + self._change_seconds
        same = longest / (longest - self._change_seconds)
        return np.array([same if one == self._last_settings else 1.0 for one in self._settings])


def factors_of(point: Point) -> tuple[float | str, ...]:
    """A point's load, batch size and settings, as numbers where they are."""
    load: float = (
        float(point.load.concurrency)
        if isinstance(point.load, Closed)
        else point.load.arrivals.rate
    )
    settings = [_as_number(point.settings[name]) for name in sorted(point.settings)]
    return (load, float(point.batch_size), *settings)


def _as_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parse_duration(text)
    except ConfigError:
        return text
