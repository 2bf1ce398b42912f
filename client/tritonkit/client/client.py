"""What a user without an event loop holds: a server, and layers in front of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from tritonkit.client import background
from tritonkit.client.async_client import AsyncClient
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.jobs.board import Board
from tritonkit.client.jobs.job import SyncJob
from tritonkit.client.jobs.pace import Pace
from tritonkit.client.layers.telemetry.snapshot import Snapshot
from tritonkit.client.signature import Signature
from tritonkit.client.stack import Layer, Transport
from tritonkit.client.types import InferResponse, Parameter, Priority

__all__ = ["Client"]


class Client:
    """
    The same for code without an event loop, from any number of threads.

    Every Client of a process works in one background event loop, so layers that
    join requests join them across threads. A fork is survived over HTTP:
    the child opens connections of its own. gRPC does not survive one: start its
    clients after the fork.

    Args:
        server: A URL such as "http://localhost:8000" or "grpc://localhost:8001",
            several of them for `Endpoints` with its defaults, or a transport.
        layers: The first is outermost: it sees the request first and the
            response last.
        jobs: Where the results of `submit` wait; in this process by default.
        pace: How many jobs are sent at a time, and how long closing waits for them.
        experiments: Where a `Split` keeps exposures and answers; see `AsyncClient`.

    Raises:
        ConfigError: If the URL is wrong.
    """

    def __init__(
        self,
        server: str | Sequence[str] | Transport,
        layers: Sequence[Layer] = (),
        *,
        jobs: Board | None = None,
        pace: Pace | None = None,
        experiments: EventLog | str | os.PathLike[str] | None = None,
    ) -> None:
        self._client = AsyncClient(server, layers, jobs=jobs, pace=pace, experiments=experiments)

    @classmethod
    def from_policy(
        cls, path: str | os.PathLike[str], *, environment: Mapping[str, str] | None = None
    ) -> Self:
        """A client with the stack of a policy file; see `AsyncClient.from_policy`."""
        from tritonkit.client.policy.policy import load_policy

        policy = load_policy(path, environment=environment)
        return cls(
            *policy.build(),
            jobs=policy.jobs(),
            pace=policy.pace(),
            experiments=policy.experiments(),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._client.stack!r})"

    @property
    def experiments(self) -> EventLog | None:
        """The log of the experiments: its `counters` tell what was late or lost."""
        return self._client.experiments

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def infer(
        self,
        model: str,
        inputs: Mapping[str, Any] | Any,
        *,
        outputs: Sequence[str] | None = None,
        version: str = "",
        parameters: Mapping[str, Parameter] | None = None,
        timeout: str | float | timedelta | None = None,
        id: str = "",
        scope: str = "",
        tags: Mapping[str, str] | None = None,
        priority: Priority = "live",
    ) -> InferResponse:
        """
        Send one inference request; see `AsyncClient.infer`. Ctrl-C cancels it.

        What a layer has in memory is answered in the caller's own thread.
        """
        answer = self._client.infer_now(
            model,
            inputs,
            outputs=outputs,
            version=version,
            parameters=parameters,
            id=id,
            scope=scope,
            tags=tags,
            priority=priority,
        )
        if answer is not None:
            return answer
        return background.run(
            self._client.infer(
                model,
                inputs,
                outputs=outputs,
                version=version,
                parameters=parameters,
                timeout=timeout,
                id=id,
                scope=scope,
                tags=tags,
                priority=priority,
            )
        )

    def submit(
        self,
        model: str,
        inputs: Mapping[str, Any] | Any,
        *,
        outputs: Sequence[str] | None = None,
        version: str = "",
        parameters: Mapping[str, Parameter] | None = None,
        timeout: str | float | timedelta | None = None,
        id: str = "",
        scope: str = "",
        tags: Mapping[str, str] | None = None,
        priority: Priority = "batch",
        owner: str = "",
    ) -> SyncJob:
        """Begin an inference whose answer is fetched later; see `AsyncClient.submit`."""
        job = background.run(
            self._client.submit(
                model,
                inputs,
                outputs=outputs,
                version=version,
                parameters=parameters,
                timeout=timeout,
                id=id,
                scope=scope,
                tags=tags,
                priority=priority,
                owner=owner,
            )
        )
        return SyncJob(job.id, self._client.jobs)

    def record(self, answer: str, name: str, value: float, *, at: float | None = None) -> None:
        """Say what came of an answer; see `AsyncClient.record`."""
        self._client.record(answer, name, value, at=at)

    def invalidate(self, model: str | None = None, scope: str | None = None) -> None:
        """End what any layer keeps; see `AsyncClient.invalidate`."""
        background.run(self._client.invalidate(model, scope))

    def signature(
        self, model: str, version: str = "", *, timeout: str | float | timedelta | None = None
    ) -> Signature:
        """What the model takes and gives; see `AsyncClient.signature`."""
        return background.run(self._client.signature(model, version, timeout=timeout))

    def metadata(
        self, model: str, version: str = "", *, timeout: str | float | timedelta | None = None
    ) -> dict[str, Any]:
        """The model's metadata; see `AsyncClient.metadata`."""
        return background.run(self._client.metadata(model, version, timeout=timeout))

    def config(
        self, model: str, version: str = "", *, timeout: str | float | timedelta | None = None
    ) -> dict[str, Any]:
        """The model's configuration; see `AsyncClient.config`."""
        return background.run(self._client.config(model, version, timeout=timeout))

    def ready(
        self, model: str = "", version: str = "", *, timeout: str | float | timedelta | None = None
    ) -> bool:
        """Whether the server or the model takes requests; see `AsyncClient.ready`."""
        return background.run(self._client.ready(model, version, timeout=timeout))

    def statistics(
        self, model: str = "", version: str = "", *, timeout: str | float | timedelta | None = None
    ) -> list[dict[str, Any]]:
        """Triton's counters; see `AsyncClient.statistics`."""
        return background.run(self._client.statistics(model, version, timeout=timeout))

    def stats(self) -> Snapshot:
        """What the stack's Telemetry knows now; see `AsyncClient.stats`."""
        return self._client.stats()

    def close(self) -> None:
        """Close the layers and the connections. A second time does nothing."""
        background.run(self._client.aclose())
