"""Dear requests to the large model, simple ones to the small."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from tritonkit.client.layers.rows import take_rows
from tritonkit.client.layers.tiers.fallback import answered, first_answer
from tritonkit.client.layers.tiers.merging import Merged
from tritonkit.client.layers.tiers.seed_rule import SeedRule
from tritonkit.client.layers.tiers.signatures import RouteSignatures
from tritonkit.client.layers.tiers.strategy import Strategy
from tritonkit.client.route import Route
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import ConfigError

__all__ = ["ByCost", "Rule"]

Rule: TypeAlias = Callable[[InferRequest], Any]
"""
Where a request goes: True for the first route, False for the last, or the name of a
route; one for the request, or a sequence of one for each row.
"""


class ByCost(Strategy):
    """
    Sends each row where a rule says, all at the same time.

    A dear row goes to the first route, a simple one to the last. A rule that
    gives one verdict for each row splits the request, and the answer has every
    row in its place; where a request cannot be split, its dearest row decides.
    Rows whose route fails go to the other routes, in their order; `degraded` says
    so where that is one listed after the route they were meant for.

    A Cache belongs below, as with `Cascade`.

    Args:
        rule: Takes the request; see `Rule`. `TokenRule`, `LengthRule` and `LearnedRule`
            are others; `SeedRule()` by default, since it needs neither a tokenizer nor
            samples. A rule works in the event loop and must be quick.
    """

    def __init__(self, rule: Rule | None = None) -> None:
        self.rule: Rule = rule or SeedRule()
        self._signatures: RouteSignatures | None = None

    def __repr__(self) -> str:
        return f"ByCost({getattr(self.rule, '__name__', None) or repr(self.rule)})"

    def check(self, routes: Sequence[Route]) -> None:
        """There are two routes at least."""
        if len(routes) < 2:
            raise ConfigError(f"ByCost needs two routes or more, but got {len(routes)}.")

    def attach(self, signatures: RouteSignatures) -> None:
        """Learn whom to ask whether requests can be split."""
        self._signatures = signatures

    async def __call__(
        self, request: InferRequest, routes: Sequence[Route], inner: Service
    ) -> InferResponse:
        """Ask every route that the rule names."""
        verdict = self.rule(request)
        if isinstance(verdict, np.ndarray):
            if verdict.ndim > 1:
                raise ConfigError(
                    "a rule must give one verdict for each row, but gave an array of shape "
                    f"{list(verdict.shape)}."
                )
            verdict = verdict.tolist()
        if isinstance(verdict, str) or not hasattr(verdict, "__len__"):
            return await _ask(request, self._place(verdict, routes), routes, inner)
        places = [self._place(one, routes) for one in verdict]
        if not places:
            raise ConfigError("a rule must give a verdict for each row, but gave none.")
        if len(set(places)) == 1:
            return await _ask(request, places[0], routes, inner)
        count = 0
        if self._signatures is not None:
            count = await self._signatures.rows_of_any(routes, request)
        if not count:
            return await _ask(request, min(places), routes, inner)
        if len(places) != count:
            raise ConfigError(
                f"a rule must give a verdict for each of {count} rows, but gave {len(places)}."
            )
        groups = {
            place: [row for row in range(count) if places[row] == place]
            for place in sorted(set(places))
        }
        calls = [
            asyncio.ensure_future(_ask(take_rows(request, rows, count), place, routes, inner))
            for place, rows in groups.items()
        ]
        try:
            responses = await asyncio.gather(*calls)
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        merged = Merged(count)
        for rows, response in zip(groups.values(), responses, strict=True):
            merged.put(rows, response, response.trace.tiers[0])
        return replace(merged.response(outputs=request.outputs), id=request.id)

    def _place(self, verdict: Any, routes: Sequence[Route]) -> int:
        if isinstance(verdict, str):
            for place, route in enumerate(routes):
                if route.name == verdict:
                    return place
            raise ConfigError(
                f"a rule must name one of the routes {[route.name for route in routes]}, "
                f"but got {verdict!r}."
            )
        return 0 if verdict else len(routes) - 1


async def _ask(
    request: InferRequest, place: int, routes: Sequence[Route], inner: Service
) -> InferResponse:
    """The answer of the route at *place*, else of the others in their order."""
    order = [routes[place], *routes[:place], *routes[place + 1 :]]
    response, route, failures = await first_answer(request, order, inner)
    less = routes.index(route) > place
    return answered(response, route, f"fallback: {', '.join(failures)}" if less else "")
