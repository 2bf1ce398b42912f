"""Finds the best of many points with few measurements: asked for trials, told what they gave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.search.factors import factors_of
from tritonkit.bench.search.finalists import beside, in_turn, keeps
from tritonkit.bench.search.knowledge import Knowledge
from tritonkit.bench.search.neighbours import Neighbours
from tritonkit.bench.search.objective import Objective
from tritonkit.bench.search.outlook import Outlook, Prior, look_out
from tritonkit.bench.search.spending import Spending
from tritonkit.bench.search.spread import spread_out
from tritonkit.bench.search.surrogate import Belief, encode
from tritonkit.bench.search.trial import Budget, Found, Purpose, Told, Trial
from tritonkit.errors import ConfigError

__all__ = ["MAX_CANDIDATES", "Tuner"]

_Floats = NDArray[np.float64]

MAX_CANDIDATES = 2000
"""More are a plan for another day: even a quarter of a hundredth of it takes hours."""

_WORTH_MEASURING = 0.002
"""The expected gain, as a share, below which measuring on is not worth it."""

_WORTH_ALL = 0.05
"""The expected gain, as a share, that is worth what is kept for the verification."""

_VERIFICATIONS = 3


class Tuner:
    """
    Chooses what to measure next, until the best is found.

    The first trials are spread over all settings. Then two Gaussian processes, of
    the figure and of the distance from the target, say of each candidate how likely
    it is to be the best; around a model of the server where a prior gives one. What is
    measured next is the candidate with the largest expected improvement for its time
    that a run may show, or the best itself where less is known of it than of that.

    Before anything is measured a second time, the neighbours of the best are looked at.
    When no candidate promises more than 0.2 %, or one is the best with `confidence`,
    what was measured and may be as good is measured in turn with it, until these runs
    alone say so. Then it is verified by a longer run; the search goes on where that run
    contradicts what was believed.

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
        self._spending = Spending(
            self.budget, seconds=seconds, warmup=warmup, change_seconds=change_seconds
        )
        self._seconds = seconds
        self._verify_seconds = 2 * seconds if verify_seconds is None else verify_seconds
        self._confidence = confidence
        self._tolerance = tolerance
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        factors = [factors_of(point) for point in candidates]
        self._places = encode(factors)
        self._neighbours = Neighbours(factors)
        self._settings = [tuple(sorted(point.settings.items())) for point in candidates]
        self._known = Knowledge(objective)
        self._seen = self._known.seen
        self._out: set[int] = set()
        self._told: list[Told] = []
        self._verified: dict[int, Trial] = {}
        self._asked: Trial | None = None
        self._done = False
        self._last_settings: tuple[tuple[str, str], ...] | None = None
        self._first = spread_out(self._places, self._settings, self._first_count(), self._rng)

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
        took = seconds
        if took is None:
            took = self._spending.takes(trial.seconds, changes=self._changes(trial))
        self._spending.add(trial.seconds, took=took, refused=measurement is None)
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
        """Seconds that the budget takes if each measurement changes settings."""
        return self._spending.longest

    @property
    def spent(self) -> float:
        """Measurements of the base duration so far."""
        return self._spending.measurements

    def found(self) -> Found:
        """What is known by now."""
        beliefs = self._beliefs()
        best, sure, holds = None, 0.0, 0.0
        if beliefs is not None:
            outlook = self._outlook(*beliefs)
            best, sure = outlook.incumbent, outlook.sure
            if best is not None:
                holds = keeps(best, beliefs[1]) if self.objective.target.named else 1.0
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
            spent=self._spending.measurements,
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
        chosen, best = outlook.next, outlook.incumbent
        if best is not None:
            sure = outlook.sure >= self._confidence or outlook.promise < _WORTH_MEASURING
            if sure or chosen in self._seen:
                # What was never measured beside the best tells more than a second look.
                near = filter(self._alive, self._neighbours.of(best))
                unseen = beside(best, near, self._seen, *beliefs)
                if unseen is not None:
                    chosen = unseen
                elif sure:
                    chosen = self._in_turn(best, *beliefs)
        if chosen is None:
            return self._last(outlook)
        purpose: Purpose = "refine" if chosen in self._seen else "explore"
        trial = self._trial(chosen, self._seconds, purpose, beliefs)
        # With nothing left for both, a look at what may be much better tells more than a
        # second one at what is known.
        keep = outlook.promise < _WORTH_ALL
        return trial if self._affordable(trial, keep=keep) else self._last(outlook)

    def _in_turn(self, best: int, gain: Belief, margin: Belief) -> int | None:
        return in_turn(
            best,
            self._alive,
            self._seen,
            gain,
            margin,
            confidence=self._confidence,
            tolerance=self._tolerance,
        )

    def _alive(self, index: int) -> bool:
        return index not in self._out

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
            hopeful = keeps(index, margin)
        return Trial(
            candidate=index,
            point=self.candidates[index],
            seconds=seconds,
            purpose=purpose,
            expected=expected,
            hopeful=hopeful,
        )

    def _changes(self, trial: Trial) -> bool:
        return self._settings[trial.candidate] != self._last_settings

    def _affordable(self, trial: Trial, *, keep: bool) -> bool:
        """Whether the budget bears it, with a short verification after it if *keep*."""
        return self._spending.affords(trial.seconds, changes=self._changes(trial), keep=keep)

    def _first_count(self) -> int:
        """Enough to see every setting change once, and no more than half of the budget."""
        # A model of the server knows what settings do; it needs to know the server.
        wanted = 4 if self._prior is not None else int(self._places.shape[1]) + 3
        return max(min(wanted, int(self._spending.bears / 2), len(self.candidates)), 1)

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
            if index not in self._out and seen.gains and margin.mean[index] > 0
        ]
        return look_out(
            gain,
            margin,
            alive=alive,
            measured=[i for i in self._seen if i not in self._out],
            ripe=ripe,
            pace=self._pace(),
            tolerance=self._tolerance,
            enough=self._places.shape[1],
            # The same draws whenever it is asked with the same knowledge.
            rng=np.random.default_rng((self._seed, len(self._told))),
        )

    def _longest(self, index: int) -> Measurement:
        longest = self._seen[index].longest
        assert longest is not None
        return longest

    def _pace(self) -> _Floats:
        """How much sooner a candidate is measured than one with other settings."""
        same = self._spending.pace
        return np.array([same if one == self._last_settings else 1.0 for one in self._settings])
