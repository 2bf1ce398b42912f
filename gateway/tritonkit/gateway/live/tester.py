"""Two texts by one model, and what each of them took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic, perf_counter_ns
from typing import Any

from numpy.typing import NDArray

from tritonkit.client.layers.telemetry.labels import error_kind
from tritonkit.client.trace import Trace
from tritonkit.errors import RequestError
from tritonkit.gateway.api.call import Call
from tritonkit.gateway.api.embedder import Embedder
from tritonkit.gateway.api.fields import Fields, text, wrong
from tritonkit.gateway.api.settings import TextModel
from tritonkit.gateway.api.traced import origins_of, tier_of
from tritonkit.gateway.api.vectors import cosines
from tritonkit.gateway.faults.rig import Rig
from tritonkit.gateway.live.document import Compared, Comparison, TextModels
from tritonkit.gateway.passed import Passed
from tritonkit.gateway.protocol.errors import status_of
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.refused import Refused
from tritonkit.gateway.tenants.tenants import Tenants

__all__ = ["Tester"]

_PRIORITIES = ("live", "batch")
_MOST_LAYERS = 100


class Tester:
    """
    Asks as anybody does, with the tenant's scope, tags and limits, one text after the other.

    Args:
        serving: Of the worker.
        tenants: For their limits.
        embedder: Of the models that the gateway's table names.
        models: Their names.
        rig: Of the layers that a request may go without; None where none may.
    """

    def __init__(
        self,
        serving: Serving,
        tenants: Tenants,
        embedder: Embedder,
        models: Sequence[str],
        rig: Rig | None,
    ) -> None:
        self._serving, self._tenants, self._embedder = serving, tenants, embedder
        self._models, self._rig = tuple(models), rig

    def models(self, call: Call) -> TextModels:
        """What the caller can ask; nothing where it may not ask."""
        if "infer" not in call.tenant.rights:
            return {"models": [], "layers": []}
        layers = [] if self._rig is None else self._rig.switches.controls()
        return {"models": list(self._models), "layers": layers}

    async def compare(self, call: Call) -> Comparison:
        """
        How alike two texts are, and what each of them took.

        Raises:
            Refused: If the request makes no sense, or the tenant may not ask models.
            RequestError: If there is no answer.
        """
        if "infer" not in call.tenant.rights:
            raise Refused(
                "the tester asks a model, which needs the right 'infer'",
                status=403,
                reason="right",
                tenant=call.tenant.name,
            )
        fields = Fields(call.document, ("model", "a", "b", "priority", "bypass"))
        model = self._embedder.model(fields.text("model", ""))
        a = fields.text("a", most=model.max_characters)
        b = fields.text("b", most=model.max_characters)
        priority: Any = fields.choice("priority", _PRIORITIES)
        without = self._without(fields)
        call.marks = replace(call.marks, priority=priority)
        call.count_rows(2)
        first, one = await self._ask(call, model, a, without)
        second, other = await self._ask(call, model, b, without)
        (similarity,) = cosines(first, second)
        return {"similarity": float(similarity), "a": one, "b": other}

    def _without(self, fields: Fields) -> list[str]:
        names = fields.any("bypass") if "bypass" in fields else []
        if not isinstance(names, list) or len(names) > _MOST_LAYERS:
            raise wrong("'bypass' must be a list of layers")
        known = [] if self._rig is None else self._rig.switches.names
        for place, name in enumerate(names):
            if text(name, f"bypass[{place}]", 200) not in known:
                raise wrong(f"'bypass[{place}]' must be one of {known}, but got {name!r}")
        return names

    async def _ask(
        self, call: Call, model: TextModel, said: str, without: Sequence[str]
    ) -> tuple[NDArray[Any], Compared]:
        side = Call(call.client, self._tenants, monotonic())
        side.tenant, side.marks, side.model = call.tenant, call.marks, call.model
        began = perf_counter_ns()
        status, failure = 200, ""
        try:
            if self._rig is None:
                found = await self._embedder.embed(side, model, [said])
            else:
                with self._rig.switches.without(without):
                    found = await self._embedder.embed(side, model, [said])
        except RequestError as error:
            status, failure = status_of(error), error_kind(error)
            raise
        finally:
            seconds = (perf_counter_ns() - began) / 1e9
            trace = side.trace
            self._serving.passed(
                _passed(side, model, trace, seconds=seconds, status=status, failure=failure)
            )
        return found.vectors, {
            "tier": tier_of(trace),
            "cache": ",".join(origins_of(trace, 1)),
            "seconds": seconds,
            "cost": trace.cost,
            "degraded": trace.degraded,
            "attempts": trace.attempts,
        }


def _passed(
    side: Call, model: TextModel, trace: Trace, *, seconds: float, status: int, failure: str
) -> Passed:
    return Passed(
        at=datetime.now(UTC).timestamp(),
        seconds=seconds,
        route="tester",
        model=model.name,
        tenant=side.tenant.name,
        rows=1,
        status=status,
        error=failure,
        origins={} if failure else origins_of(trace, 1),
        tier=tier_of(trace),
        arms=trace.arms,
        attempts=trace.attempts,
        cost=trace.cost,
        degraded=trace.degraded,
    )
