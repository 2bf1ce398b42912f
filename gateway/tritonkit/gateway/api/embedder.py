"""Texts to embeddings, through the policy's layers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.types import InferResponse
from tritonkit.errors import InferenceFailed, InvalidInput, RequestError
from tritonkit.gateway.api.call import Call
from tritonkit.gateway.api.fields import wrong
from tritonkit.gateway.api.settings import TextModel

__all__ = ["Embedded", "Embedder"]

_AT_A_TIME = 4
"""Requests to a model for one caller's texts: enough to keep a batcher busy, and none else out."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """
    Args:
        vectors: Shape (texts, d), finite.
        model: That answered, as it says itself.
        version: Of it; several joined by commas where it changed meanwhile.
    """

    vectors: NDArray[np.float32]
    model: str
    version: str


class Embedder:
    """
    Asks the models that the gateway's table names.

    Args:
        models: By the names that callers say.
    """

    def __init__(self, models: Sequence[TextModel]) -> None:
        self._models = {model.name: model for model in models}
        self._batches: dict[tuple[str, str], int] = {}

    def model(self, name: str) -> TextModel:
        """
        The one with this name; with none, the only one.

        Raises:
            Refused: 404 where there is none.
        """
        if not name and len(self._models) == 1:
            return next(iter(self._models.values()))
        found = self._models.get(name)
        if found is None:
            known = ", ".join(map(repr, self._models)) or "none: [gateway.models] is empty"
            said = f"no text model {name!r}" if name else "'model' must be said"
            raise wrong(f"{said}; there are {known}", status=404 if name else 400)
        return found

    async def embed(self, call: Call, model: TextModel, texts: Sequence[str]) -> Embedded:
        """
        One vector for each text.

        Args:
            call: Whose texts they are.
            model: To ask.
            texts: One at least.

        Raises:
            RequestError: If there is no answer, or it is no embeddings.
        """
        batch = model.batch or await self._batch(call, model)
        try:
            return await self._in_batches(call, model, texts, batch)
        except InvalidInput:
            # The model may take fewer at a time by now.
            key = (model.model, model.version)
            if model.batch or self._batches.pop(key, None) is None:
                raise
            again = await self._batch(call, model)
            if again >= batch:
                raise
            return await self._in_batches(call, model, texts, again)

    async def _batch(self, call: Call, model: TextModel) -> int:
        key = (model.model, model.version)
        known = self._batches.get(key)
        if known is None:
            signature = await call.client.signature(
                model.model, model.version, timeout=call.remaining()
            )
            # One that does not batch takes a list of any length, or says what it takes.
            known = self._batches[key] = signature.max_batch_size or model.max_texts
        return known

    async def _in_batches(
        self, call: Call, model: TextModel, texts: Sequence[str], batch: int
    ) -> Embedded:
        parts = [texts[at : at + batch] for at in range(0, len(texts), batch)]
        if len(parts) == 1:
            answers = [await self._ask(call, model, parts[0])]
        else:
            answers = await self._ask_all(call, model, parts)
        vectors = [
            _vectors(answer, model, len(part)) for answer, part in zip(answers, parts, strict=True)
        ]
        if len({each.shape[1] for each in vectors}) > 1:
            raise InferenceFailed(
                f"output {model.output!r} has vectors of different lengths: "
                f"{[each.shape[1] for each in vectors]}",
                model=model.model,
            )
        versions = dict.fromkeys(answer.version for answer in answers)
        return Embedded(np.concatenate(vectors), answers[0].model, ",".join(versions))

    async def _ask(self, call: Call, model: TextModel, texts: Sequence[str]) -> InferResponse:
        return await call.infer(
            model.model,
            {model.input: list(texts)},
            rows=len(texts),
            version=model.version,
            outputs=(model.output,),
        )

    async def _ask_all(
        self, call: Call, model: TextModel, parts: Sequence[Sequence[str]]
    ) -> list[InferResponse]:
        turns = asyncio.Semaphore(_AT_A_TIME)

        async def ask(part: Sequence[str]) -> InferResponse:
            async with turns:
                return await self._ask(call, model, part)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(ask(part)) for part in parts]
        except ExceptionGroup as errors:
            # The first tells why; the others were cancelled, or failed by the same.
            first = errors.exceptions[0]
            if isinstance(first, RequestError):
                raise first from None
            raise
        return [task.result() for task in tasks]


def _vectors(response: InferResponse, model: TextModel, count: int) -> NDArray[np.float32]:
    array = response[model.output]
    if array.ndim != 2 or len(array) != count or array.dtype.kind != "f" or not array.shape[1]:
        raise InferenceFailed(
            f"output {model.output!r} must be one vector of floats for each of {count} texts, "
            f"but is {array.dtype} {list(array.shape)}",
            model=model.model,
        )
    vectors = array.astype(np.float32)
    if not np.isfinite(vectors).all():
        raise InferenceFailed(
            f"output {model.output!r} has numbers that are not finite", model=model.model
        )
    return vectors
