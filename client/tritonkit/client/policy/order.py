"""What is wrong with the order of layers, where each by itself is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from tritonkit.client.layers.breaker.breaker import Breaker
from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.cache.cache import Cache
from tritonkit.client.layers.coalesce.coalesce import Coalesce
from tritonkit.client.layers.deadline.deadline import Deadline
from tritonkit.client.layers.drift.drift import Drift
from tritonkit.client.layers.hedge.hedge import Hedge
from tritonkit.client.layers.limit.limit import Limit
from tritonkit.client.layers.retry.retry import Retry
from tritonkit.client.layers.shadow.shadow import Shadow
from tritonkit.client.layers.split.split import Split
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.layers.tiers.fast_then_accurate import FastThenAccurate
from tritonkit.client.layers.tiers.stale import Stale
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.client.policy.positions import Path, dotted
from tritonkit.client.route import Route
from tritonkit.client.stack import Layer

__all__ = ["misplaced"]

_Chain: TypeAlias = list[tuple[Path, Layer]]
"""What a request passes, from the outside in, and where the file has it."""

_NOT_ABOVE: Sequence[tuple[type[Layer], type[Layer], str]] = (
    (
        Cache,
        Tiers,
        "it waits for the first server to say which model it has, also while that hangs and "
        "other routes would answer; and it keeps no answer of any but the first route",
    ),
    (Cache, Drift, "rows that are kept go past it, so the rare ones seem to be all there are"),
    (Hedge, Shadow, "second requests are copied as well"),
    (Retry, Shadow, "each attempt is copied"),
    (Coalesce, Cache, "calls wait for company whose rows are kept"),
    (Hedge, Cache, "a row is computed once, so the second request waits for the first"),
    (Hedge, Coalesce, "a request that travels with others cannot be taken back"),
    (Budget, Tiers, "a spent budget ends the request, where another route would answer"),
    (Budget, Cache, "a spent budget denies answers that are kept"),
    (Limit, Cache, "answers that are kept take a place, and wait for one"),
    (Limit, Coalesce, "it counts callers, and no more of them travel together than it lets in"),
    (Limit, Hedge, "second requests need no place"),
    (Limit, Retry, "a request holds its place while it waits to be sent again"),
    (Retry, Split, "each of its attempts is recorded as an answer"),
    (Hedge, Split, "each of its requests is recorded as an answer"),
    (Limit, Split, "it counts the requests of all arms as those of one model"),
    (Breaker, Split, "where one arm keeps failing, the others are not asked either"),
    (Breaker, Tiers, "an open circuit ends the request, where another route would answer"),
    (Breaker, Cache, "an open circuit denies answers that are kept"),
    (Breaker, Retry, "attempts go on that are in vain, and count as one call"),
)
"""Of what must not stand above what, the worst first, and why not."""


def misplaced(layers: Sequence[Layer]) -> Iterator[tuple[Path, str]]:
    """
    Layers in the wrong place: where each stands in the file, and what goes wrong.

    Args:
        layers: The first is outermost.
    """
    stack: _Chain = [(("layers", place), layer) for place, layer in enumerate(layers)]
    seen = set()
    for chain in _chains(stack, 0):
        for place, (path, _) in enumerate(chain):
            # One reason is enough to move a layer.
            message = next(_wrong(chain, place), "")
            if message and path not in seen:
                seen.add(path)
                yield path, message
    yield from _late_deadlines(stack)


def _chains(chain: _Chain, start: int) -> Iterator[_Chain]:
    """Each way through the layers: past the routes, and through the layers of each."""
    yield chain
    for place in range(start, len(chain)):
        path, layer = chain[place]
        within = "arms" if isinstance(layer, Split) else "routes"
        for number, route in enumerate(_routes(layer)):
            own: _Chain = [
                ((*path, within, number, "layers", inner), each)
                for inner, each in enumerate(route.layers)
            ]
            below = chain[place + 1 :] if route.server is None else []
            if own:
                yield from _chains([*chain[: place + 1], *own, *below], place + 1)
        if isinstance(layer, Shadow):
            # Nobody waits for it, and it passes no layer below.
            yield from _chains(
                [
                    ((*path, "route", "layers", inner), each)
                    for inner, each in enumerate(layer.route.layers)
                ],
                0,
            )


def _wrong(chain: _Chain, place: int) -> Iterator[str]:
    layer, below = chain[place][1], chain[place + 1 :]
    chosen = _first(chain[:place], Tiers) is not None
    for outer, inner, why in _NOT_ABOVE:
        found = _first(below, inner) if isinstance(layer, outer) else None
        # Within a route there are others beside it.
        if found is not None and not (chosen and inner is Tiers):
            yield f"stands above {_named(found)}: {why}. Put it below."
    for kind, why in (
        (Retry, "the inner one never asks again, for attempts would multiply"),
        (Hedge, "each may double what the other sends"),
    ):
        above = _first(chain[:place], kind) if isinstance(layer, kind) else None
        if above is not None:
            yield f"stands below another one, {dotted(above[0])}: {why}. One is enough."
    if isinstance(layer, Telemetry) and place and not isinstance(chain[0][1], Telemetry):
        yield f"stands below {_named(chain[0])}: it sees nothing of what that does. Put it first."
    if isinstance(layer, Budget):
        yield from _underpaid(layer, below)
    if isinstance(layer, Tiers):
        yield from _without_cache(layer, below)


def _underpaid(budget: Budget, below: _Chain) -> Iterator[str]:
    retry, hedge = _first(below, Retry), _first(below, Hedge)
    attempts = retry[1].attempts if retry is not None and isinstance(retry[1], Retry) else 1
    attempts *= 1 if hedge is None else 2
    found = retry or hedge
    if found is not None and budget.attempts < attempts:
        yield (
            f"stands above {_named(found)}: a request may be sent {attempts} times, and "
            f"{budget.attempts} is reserved. Put it below, or give it attempts = {attempts}."
        )


def _without_cache(tiers: Tiers, below: _Chain) -> Iterator[str]:
    shared = _first(below, Cache) is not None

    def kept(route: Route) -> bool:
        if any(isinstance(layer, Cache) for layer in route.layers):
            return True
        return shared and route.server is None

    if isinstance(tiers.strategy, FastThenAccurate) and not kept(tiers.routes[0]):
        yield (
            "has no cache below: the accurate answer is computed and thrown away. "
            "Put a cache below, or into the first route."
        )
    if any(isinstance(resort, Stale) for resort in tiers.last) and not any(map(kept, tiers.routes)):
        yield "has no cache below: there is never a stale answer. Put a cache below."


def _late_deadlines(stack: _Chain) -> Iterator[tuple[Path, str]]:
    # What only looks on holds nothing up.
    stack = [link for link in stack if not isinstance(link[1], Telemetry)]
    for place, (path, layer) in enumerate(stack):
        above = [each for _, each in stack[:place]]
        # Below what asks again it is that of an attempt.
        if isinstance(layer, Deadline) and not any(
            isinstance(each, Deadline | Retry | Hedge) for each in above
        ):
            if above:
                yield (
                    path,
                    f"does not hold for {_named(stack[0])}, which is above it, nor for the "
                    "question what the model takes. Put it first.",
                )
            return


def _routes(layer: Layer) -> Sequence[Route]:
    if isinstance(layer, Split):
        return list(layer.arms.values())
    return layer.routes if isinstance(layer, Tiers | Hedge) else ()


def _first(chain: _Chain, kind: type[Layer]) -> tuple[Path, Layer] | None:
    return next((link for link in chain if isinstance(link[1], kind)), None)


def _named(link: tuple[Path, Layer]) -> str:
    path, layer = link
    return f"{type(layer).__name__.lower()} ({dotted(path)})"
