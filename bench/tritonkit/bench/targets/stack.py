"""A client with layers, measured as its users get it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from time import monotonic
from typing import Any, NamedTuple

from tritonkit.bench.inputs.workload import Item
from tritonkit.bench.targets.target import Channel, Taken, Target, request_of, tensor_forms
from tritonkit.client import AsyncClient, Tensors
from tritonkit.client.layers.rows import count_rows
from tritonkit.client.layers.tiers.constant import CONSTANT
from tritonkit.client.readings import readings
from tritonkit.client.trace import MODEL
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.errors import DeadlineExceeded

__all__ = ["StackTarget", "way_of"]

_MICRO = 1e6
"""Of a trace's cost in one of the budget's unit."""


class _Prepared(NamedTuple):
    request: InferRequest
    rows: int


class _Answered(NamedTuple):
    response: InferResponse
    rows: int


class StackTarget(Target):
    """
    Calls of `AsyncClient.infer`, from many callers at a time.

    What the client does to inputs, what its layers do and where they keep it are
    part of the time that is measured. Every answer tells by its trace which way it
    came. The client is made anew by `renew`, so that no point meets what earlier
    ones left in memory; what a store outside of the process keeps, such as Redis, it
    keeps: it may be other people's, and is neither emptied nor avoided. Where several
    processes send, each has a memory of its own, as those of an application have.

    Args:
        make: Makes a client, inside the event loop that will use it; one that
            shares no layer with the last one.
        model: Name of the model that requests ask for.
        version: Its version; empty lets the server choose.
        tags: Sent along to the layers, such as {"user": "u{n}"}, where {n} is the
            number of the distinct request: what experiments and budgets go by.
        keep: Whether one client serves all points, with what it keeps.
    """

    def __init__(
        self,
        make: Callable[[], AsyncClient],
        model: str,
        version: str = "",
        *,
        tags: Mapping[str, str] | None = None,
        keep: bool = False,
    ) -> None:
        self._make = make
        self._model = model
        self._version = version
        self._tags = dict(tags or {})
        self._keep = keep
        self._prepared = 0
        self._forms: dict[str, str] = {}
        self.client = make()

    def prepare(self, item: Item) -> Any:
        """A request, as the user's code would hold it."""
        tags = {
            name: value.replace("{n}", str(self._prepared)) for name, value in self._tags.items()
        }
        request = request_of(item, self._model, self._version, tags=tags)
        self._prepared += 1
        self._forms.update(tensor_forms(item, "array"))
        return _Prepared(request, count_rows(request))

    async def channel(self) -> Channel:
        """A caller; all of them share the client, as in an application."""
        return _Caller(self.client)

    def connections(self, callers: int) -> int:
        """None for sure: how many the client opens, and for whom, its layers decide."""
        return 0

    def outputs(self, answer: Any) -> Tensors:
        """Those of the answer, as the caller got them."""
        response: InferResponse = answer.response
        return response.outputs

    def way(self, answer: Any) -> Taken:
        """What its trace says."""
        response, rows = answer
        trace = response.trace
        name, hits = way_of(trace.origins, trace.tiers, rows)
        return Taken(
            name,
            hits,
            rows,
            trace.cost / _MICRO,
            tuple([f"{experiment}:{arm}" for experiment, arm in trace.arms]),
        )

    def counters(self) -> Mapping[str, float]:
        """The counters of all layers, those on routes included."""
        found: dict[str, float] = {}
        for reading in readings(self.client.stack.parts):
            if reading.kind != "counter":
                continue
            labels = ",".join(f'{label}="{value}"' for label, value in reading.labels.items())
            name = f"{reading.name}{{{labels}}}" if labels else reading.name
            found[name] = found.get(name, 0.0) + reading.value
        return found

    def describe(self) -> Mapping[str, Any]:
        """The layers, how tensors are given, and whether points start with nothing kept."""
        described: dict[str, Any] = {
            "protocol": "stack",
            "layers": repr(self.client.stack),
            "inputs": dict(self._forms),
            "kept_between_points": self._keep,
        }
        if self._tags:
            described["tags"] = dict(self._tags)
        return described

    async def renew(self) -> None:
        """Close the client and make another, unless one is to serve all points."""
        if not self._keep:
            await self.client.aclose()
            self.client = self._make()

    async def aclose(self) -> None:
        """Close the client: shadows, jobs and logs of events are settled."""
        await self.client.aclose()


class _Caller(Channel):
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def send(self, payload: Any, deadline: float) -> _Answered:
        request, rows = payload
        timeout = deadline - monotonic()
        if timeout <= 0:
            raise DeadlineExceeded(
                "the deadline passed before the request was sent", model=request.model
            )
        response = await self._client.infer(
            request.model,
            request.inputs,
            outputs=request.outputs,
            version=request.version,
            parameters=request.parameters,
            timeout=timeout,
            tags=request.tags,
        )
        return _Answered(response, rows)

    def close(self) -> None:
        """The client is closed with the target."""


@lru_cache(maxsize=4096)
def way_of(origins: tuple[str, ...], tiers: tuple[str, ...], rows: int) -> tuple[str, int]:
    """The name of a way, and how many rows no model computed for it."""
    by_row = _each(origins or (MODEL,), rows)
    routes = _each(tiers or (MODEL,), rows)
    kept = [origin for origin in by_row if origin != MODEL]
    computed = [
        route or MODEL for origin, route in zip(by_row, routes, strict=True) if origin == MODEL
    ]
    hits = len(kept) + computed.count(CONSTANT)
    # Kept first and each in alphabetical order: the same two ways have one name.
    names = [*sorted(set(kept)), *sorted(set(computed))]
    return "+".join(names), hits


def _each(names: tuple[str, ...], rows: int) -> tuple[str, ...]:
    """One for each row: one that stands alone is that of all of them."""
    return names if len(names) == rows else names[:1] * rows
