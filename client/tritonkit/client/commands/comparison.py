"""Two models' answers to the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.commands.row_file import Row, RowFile, join_values
from tritonkit.client.layers.shadow.classes import Argmax
from tritonkit.client.layers.tiers.confidence import Confidence
from tritonkit.client.signature import Signature
from tritonkit.errors import ConfigError

__all__ = ["Comparison"]

_SAME_CLASS = Argmax()


class Comparison:
    """
    Asks a fast and an accurate model, and notes where they agree on the class.

    Args:
        client: Asks both.
        fast: The model that is scored.
        accurate: The model whose classes are right.
        confidence: Scores the fast model's rows.
        batch: Rows a request, up to what both models take.

    Raises:
        ConfigError: If one model batches and the other does not.
    """

    def __init__(
        self,
        client: AsyncClient,
        fast: Signature,
        accurate: Signature,
        confidence: Confidence,
        *,
        batch: int,
    ) -> None:
        sizes = fast.max_batch_size, accurate.max_batch_size
        if (sizes[0] == 0) != (sizes[1] == 0):
            raise ConfigError(
                f"both models must batch, or none, but max_batch_size of {fast.model!r} is "
                f"{sizes[0]}, and of {accurate.model!r} {sizes[1]}."
            )
        self._client = client
        self._models = fast.model, accurate.model
        self._confidence = confidence
        self._batched = sizes[0] > 0
        self._batch = min(batch, *sizes) if self._batched else 1
        self._scores: list[NDArray[np.float64]] = []
        self._agreeing: list[NDArray[np.bool_]] = []

    @staticmethod
    def none() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The result for no rows."""
        return np.empty(0, np.float64), np.empty(0, np.bool_)

    async def run(self, rows: RowFile) -> AsyncIterator[int]:
        """
        Ask for every row; yields how many are done.

        Raises:
            ConfigError: If the models' answers cannot be compared.
            RequestError: If a model gives no answer.
        """
        done = 0
        batch: list[Row] = []
        for row in rows:
            batch.append(row)
            if len(batch) == self._batch:
                done += await self._compare(batch)
                yield done
                batch = []
        if batch:
            yield done + await self._compare(batch)

    def result(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The fast model's score of each row, and whether the accurate one agrees."""
        if not self._scores:
            return self.none()
        return np.concatenate(self._scores), np.concatenate(self._agreeing)

    async def _compare(self, batch: list[Row]) -> int:
        inputs = self._inputs(batch)
        output = self._confidence.output
        asked = None if output is None else [output]
        try:
            async with asyncio.TaskGroup() as group:
                calls = [
                    group.create_task(self._client.infer(model, inputs, outputs=asked))
                    for model in self._models
                ]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        fast, accurate = [
            dict(answer) if self._batched else {name: array[None] for name, array in answer.items()}
            for answer in (call.result() for call in calls)
        ]
        self._scores.append(self._confidence(fast))
        classes = [self._confidence.classes(answer)[1] for answer in (fast, accurate)]
        if classes[0].shape != classes[1].shape:
            raise ConfigError(
                f"models must answer the same classes for {batch[0].place}, but "
                f"{self._models[0]!r} answers {list(classes[0].shape)}, "
                f"{self._models[1]!r} {list(classes[1].shape)}."
            )
        self._agreeing.append(_SAME_CLASS(*classes).agrees)
        return len(batch)

    def _inputs(self, batch: list[Row]) -> Mapping[str, Any]:
        return join_values(batch) if self._batched else batch[0].values
