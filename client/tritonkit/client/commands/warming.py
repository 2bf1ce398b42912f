"""Computes rows before anybody asks for them, so that a cache has them then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.commands.row_file import Row, RowFile, join_values
from tritonkit.client.signature import Signature
from tritonkit.client.trace import MODEL
from tritonkit.errors import (
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    RequestError,
    ServerOverloaded,
)

__all__ = ["Failure", "Warming"]

_PATIENCE = 5  # attempts with a server that is overloaded
_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that got no answer, by its place in the file, and why."""

    place: str
    reason: str


@dataclass(slots=True, kw_only=True)
class Warming:
    """
    Sends the rows of a file through a client with a cache.

    Args:
        client: Its cache keeps the answers.
        signature: Of the model.
        batch: Rows a request; 1 for a model that does not batch.
        outputs: Names of the outputs wanted; None for all.
        version: Model version; empty lets the server choose.
        ready: Waits until another request may be sent, or raises RequestError.
        timeout: Seconds for each request.
    """

    client: AsyncClient
    signature: Signature
    batch: int
    ready: Callable[[], Awaitable[None]]
    outputs: Sequence[str] | None = None
    version: str = ""
    timeout: float = 60.0
    computed: int = 0
    """Rows that the model computed."""
    present: int = 0
    """Rows that the cache had, or that were there twice."""
    failures: list[Failure] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Rows that are over with."""
        return self.computed + self.present + len(self.failures)

    async def run(self, rows: RowFile, concurrency: int) -> None:
        """
        Send every row; those that the model refuses are noted and passed over.

        Raises:
            RequestError: If the server is gone, or has the model no more.
        """
        batches = _batches(rows, self.batch if self.signature.max_batch_size else 1)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(self._work(batches))
        except* RequestError as errors:
            raise _first(errors) from None

    async def _work(self, batches: Iterator[list[Row]]) -> None:
        # Nothing is awaited between two workers' turns with the file.
        for batch in batches:
            await self.ready()
            await self._send(batch)

    async def _send(self, batch: list[Row]) -> None:
        try:
            origins = await self._ask(batch)
        except (InvalidInput, InferenceFailed, DeadlineExceeded, ServerOverloaded) as error:
            if len(batch) == 1:
                self.failures.append(Failure(batch[0].place, str(error)))
                return
            # One row may be to blame: each alone.
            for row in batch:
                await self._send([row])
            return
        computed = origins.count(MODEL)
        self.computed += computed
        self.present += len(batch) - computed

    async def _ask(self, batch: list[Row]) -> tuple[str, ...]:
        inputs = self._inputs(batch)
        for attempt in range(_PATIENCE):
            try:
                response = await self.client.infer(
                    self.signature.model,
                    inputs,
                    outputs=self.outputs,
                    version=self.version,
                    timeout=self.timeout,
                )
            except ServerOverloaded:
                if attempt == _PATIENCE - 1:
                    raise
                await asyncio.sleep(_PAUSE * 2**attempt)
            else:
                # One origin where whole requests are kept.
                return response.trace.origins
        raise AssertionError

    def _inputs(self, batch: list[Row]) -> Mapping[str, Any]:
        return join_values(batch) if self.signature.max_batch_size else batch[0].values


def _first(errors: BaseExceptionGroup[RequestError]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _batches(rows: RowFile, size: int) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
