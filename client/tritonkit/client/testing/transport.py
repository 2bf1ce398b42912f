"""A transport that a function answers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tritonkit.client.stack import Transport, refuse_kept
from tritonkit.client.types import InferRequest, InferResponse, Tensors

__all__ = ["FakeTransport"]

Handler = Callable[[InferRequest], "Tensors | InferResponse | Awaitable[Tensors | InferResponse]"]


class FakeTransport(Transport):
    """
    Answers by a function, for tests of layers; every request is recorded.

    Args:
        handler: Takes the request; returns the outputs or a response, or a
            coroutine of one, or raises what a transport would.
        inputs: Shape by input name, the batch dimension left out; -1 is any size.
        outputs: Likewise.
        datatypes: Triton datatype by tensor name; FP32 for those left out.
        max_batch_size: 0 for a model that does not batch.
        config: Further fields of the model configuration.
        versions: Served versions; the greatest answers by default. May be
            changed, as *config* may, between requests.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        inputs: Mapping[str, Sequence[int]],
        outputs: Mapping[str, Sequence[int]],
        datatypes: Mapping[str, str] | None = None,
        max_batch_size: int = 64,
        config: Mapping[str, Any] | None = None,
        versions: Sequence[str] = ("1",),
    ) -> None:
        self.handler = handler
        self.model_config = dict(config or {})
        self.versions = list(versions)
        self.requests: list[InferRequest] = []
        self.questions = 0
        self.closed = False
        self.counters = {"inference_count": 0, "execution_count": 0}
        self._inputs, self._outputs = dict(inputs), dict(outputs)
        self._datatypes = dict(datatypes or {})
        self._max_batch_size = max_batch_size

    def __repr__(self) -> str:
        return "FakeTransport()"

    async def __call__(self, request: InferRequest, /) -> InferResponse:
        """Record *request* and answer it by the handler."""
        refuse_kept(request)
        self.requests.append(request)
        answer = self.handler(request)
        if inspect.isawaitable(answer):
            answer = await answer
        self.counters["inference_count"] += 1
        self.counters["execution_count"] += 1
        if isinstance(answer, InferResponse):
            return answer
        version = request.version or max(self.versions, key=int)
        wanted = request.outputs or answer
        return InferResponse(
            model=request.model,
            version=version,
            outputs={name: answer[name] for name in wanted},
            id=request.id,
        )

    async def metadata(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """Names, types and shapes as given."""
        self.questions += 1
        batch = [-1] if self._max_batch_size else []
        return {
            "name": model,
            "versions": list(self.versions),
            "platform": "fake",
            **{
                kind: [
                    {"name": name, "datatype": self._datatype(name), "shape": [*batch, *shape]}
                    for name, shape in tensors.items()
                ]
                for kind, tensors in (("inputs", self._inputs), ("outputs", self._outputs))
            },
        }

    async def config(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """The batch size, and the further fields as given."""
        return {"name": model, "max_batch_size": self._max_batch_size, **self.model_config}

    async def ready(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> bool:
        """Always."""
        return True

    async def statistics(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        """Requests answered; set `counters` back to 0 to be another load of the model."""
        return [{"name": model, "version": version, **self.counters}]

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _datatype(self, name: str) -> str:
        return self._datatypes.get(name, "FP32")
