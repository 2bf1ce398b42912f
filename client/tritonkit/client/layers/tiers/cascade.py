"""The cheapest route first, and a better one for the rows that it is not sure of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.layers.delays import Delays
from tritonkit.client.layers.rows import outputs_by_row, take_rows
from tritonkit.client.layers.tiers.allotment import within
from tritonkit.client.layers.tiers.confidence import Confidence, Score
from tritonkit.client.layers.tiers.fallback import answered, first_answer
from tritonkit.client.layers.tiers.merging import Merged
from tritonkit.client.layers.tiers.rate import Rate
from tritonkit.client.layers.tiers.signatures import RouteSignatures
from tritonkit.client.layers.tiers.strategy import Strategy
from tritonkit.client.route import Route
from tritonkit.client.trace import MODEL
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import ConfigError, DeadlineExceeded, RequestError

__all__ = ["Cascade"]

_PERCENTILE = 95

_MIN_SAMPLES = 20
"""Answers of a model, of one size of request, before anything is too late for it."""

_MEMORY, _HALF_LIFE = 100, 30.0
"""A route that has become too slow to be asked is tried again after a minute or so."""

MAX_MODELS = 1_000
"""Whoever asks for models that do not exist must not fill the memory."""


class Cascade(Strategy):
    """
    Asks the last route first, and the one before it for the rows that are in doubt.

    Routes are listed as everywhere, the best first: the last one is the cheapest,
    so it is asked first, for every row. Rows whose confidence is below the
    threshold go to the route before it, and so on up to the first, whose answers
    stand. The answer has every row in its place. A model whose requests cannot be
    split into rows is asked again for all of them, if its least sure row is in
    doubt.

    Where a better route fails, or the time that is left is less than it mostly
    takes, its rows keep the cheaper answer: `degraded` says so. Where the cheapest
    fails, the next better one is asked for all rows.

    A Cache belongs below, so that each route's answers are kept by themselves: an
    answer of several models is never kept above.

    Args:
        score: How sure a route is of a row; see `Confidence`.
        threshold: A row with a lower score is in doubt; `tritonkit calibrate`
            finds the one that holds an agreement.
        share: Instead of a threshold: the share of rows that goes to the next
            better route, held whatever the scores are; see `Rate`.
        output: The output that is scored; the only one by default. It is asked
            for even where the caller does not want it.
        clock: Seconds that only grow, for tests.

    Raises:
        ConfigError: If not exactly one of threshold and share is given, or the
            routes answer different outputs.
    """

    def __init__(
        self,
        *,
        score: str | Score = "max_probability",
        threshold: float | None = None,
        share: str | float | None = None,
        output: str | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if (threshold is None) == (share is None):
            raise ConfigError(
                f"Cascade needs a threshold or a share, but got {threshold=}, {share=}."
            )
        if threshold is not None and threshold != threshold:
            raise ConfigError(f"threshold must be a number, but got {threshold=}.")
        self.confidence = Confidence(score, output)
        self.threshold = threshold
        self._share = share
        self._rates: list[Rate] = []
        self._delays: dict[tuple[str, str], Delays] = {}
        self._clock = clock
        self._lock = fork_safe_lock()
        self._signatures: RouteSignatures | None = None

    def __repr__(self) -> str:
        limit = f"share={self._share!r}" if self.threshold is None else f"< {self.threshold:g}"
        return f"Cascade({self.confidence!r} {limit})"

    def check(self, routes: Sequence[Route]) -> None:
        """There are two routes at least."""
        if len(routes) < 2:
            raise ConfigError(f"Cascade needs two routes or more, but got {len(routes)}.")
        if self._share is not None:
            # One for each step up.
            self._rates = [Rate(self._share) for _ in routes[1:]]

    def attach(self, signatures: RouteSignatures) -> None:
        """Learn whom to ask whether requests can be split."""
        self._signatures = signatures

    async def __call__(
        self, request: InferRequest, routes: Sequence[Route], inner: Service
    ) -> InferResponse:
        """Ask from the last route to the first."""
        asked = self._with_scored_output(request)
        upward = routes[::-1]
        response, route, _ = await first_answer(asked, upward, inner)
        step = upward.index(route)
        if route is routes[0]:
            return _wanted(answered(response, route), request)
        count = await self._rows(route, asked, response)
        rows = np.arange(max(1, count))
        doubtful = rows[self._in_doubt(step, response, whole=not count)]
        answers = answered(response, route)
        if not len(doubtful):
            return _wanted(answers, request)
        merged = Merged(len(rows))
        if count:
            merged.put(rows.tolist(), response, route.name)
        failures: list[str] = []
        while len(doubtful) and step < len(upward) - 1:
            step += 1
            better = upward[step]
            part = take_rows(asked, doubtful.tolist(), count) if count else asked
            if self._too_late(better, part, len(doubtful)):
                failures.append(f"{better.name}: too little time")
                break
            try:
                response = await self._ask(better, part, len(doubtful), upward[step:], inner)
            except RequestError as error:
                failures.append(f"{better.name}: {type(error).__name__}")
                continue
            failures.clear()
            if count:
                merged.put(doubtful.tolist(), response, better.name)
            else:
                answers = _both(answered(response, better), answers)
            if better is not routes[0]:
                doubtful = doubtful[self._in_doubt(step, response, whole=not count)]
        degraded = f"cascade: {', '.join(failures)}" if failures else ""
        if count:
            return replace(merged.response(degraded, request.outputs), id=request.id)
        trace = answers.trace
        both = "; ".join(filter(None, (degraded, trace.degraded)))
        return _wanted(replace(answers, trace=replace(trace, degraded=both)), request)

    def _in_doubt(self, step: int, response: InferResponse, *, whole: bool) -> NDArray[np.bool_]:
        """Which of the rows of *response* go on from *step*."""
        outputs = response.outputs
        if whole:
            outputs = {name: array[np.newaxis] for name, array in outputs.items()}
        scores = self.confidence(outputs)
        if self.threshold is None:
            with self._lock:
                return np.array(self._rates[step].choose(scores.tolist()), dtype=np.bool_)
        # NaN is below any threshold.
        doubt: NDArray[np.bool_] = ~(scores >= self.threshold)
        return doubt

    async def _rows(self, route: Route, request: InferRequest, response: InferResponse) -> int:
        if self._signatures is None:
            return 0
        count = await self._signatures.rows(route, request)
        return count if outputs_by_row(response, count) else 0

    async def _ask(
        self,
        route: Route,
        request: InferRequest,
        rows: int,
        routes: Sequence[Route],
        inner: Service,
    ) -> InferResponse:
        began = self._clock()
        try:
            response = await route(within(request, routes), inner)
        except DeadlineExceeded:
            self._took(route, request, rows, began)
            raise
        origins = response.trace.origins
        # What a cache had says nothing of what it lacks.
        if not origins or MODEL in origins:
            self._took(route, request, rows, began)
        return response

    def _took(self, route: Route, request: InferRequest, rows: int, began: float) -> None:
        key, now = (route.name, request.model), self._clock()
        with self._lock:
            delays = self._delays.get(key)
            if delays is None:
                if len(self._delays) >= MAX_MODELS:
                    del self._delays[next(iter(self._delays))]
                delays = self._delays[key] = Delays(
                    _PERCENTILE, _MIN_SAMPLES, memory=_MEMORY, half_life=_HALF_LIFE
                )
            delays.add(rows, now - began, now)

    def _too_late(self, route: Route, request: InferRequest, rows: int) -> bool:
        remaining = request.remaining()
        if remaining is None:
            return False
        now = self._clock()
        with self._lock:
            delays = self._delays.get((route.name, request.model))
            mostly = None if delays is None else delays.after(rows, now)
        return remaining <= 0 or (mostly is not None and remaining < mostly)

    def _with_scored_output(self, request: InferRequest) -> InferRequest:
        output = self.confidence.output
        if output is None or not request.outputs or output in request.outputs:
            return request
        return replace(request, outputs=(*request.outputs, output))


def _both(response: InferResponse, before: InferResponse) -> InferResponse:
    """*response*, which took what the one *before* took as well."""
    trace = response.trace
    attempts = trace.attempts + before.trace.attempts
    return replace(
        response, trace=replace(trace, attempts=attempts, cost=trace.cost + before.trace.cost)
    )


def _wanted(response: InferResponse, request: InferRequest) -> InferResponse:
    """*response* with the outputs that were asked for only."""
    if not request.outputs:
        return response
    return replace(response, outputs={name: response[name] for name in request.outputs})
