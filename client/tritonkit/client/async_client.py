"""What a user holds: a server, and layers in front of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from contextvars import Context, copy_context
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Self

from tritonkit.client.conversion import as_given
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.experiments.outcomes import log_at, record
from tritonkit.client.inquiry import Inquiry
from tritonkit.client.jobs.board import Board
from tritonkit.client.jobs.job import Job
from tritonkit.client.jobs.local import LocalJobs
from tritonkit.client.jobs.pace import Pace
from tritonkit.client.jobs.submissions import Submissions
from tritonkit.client.layers.deadline.deadline import Deadline
from tritonkit.client.layers.retry.retry import retrying
from tritonkit.client.layers.telemetry.snapshot import Snapshot
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.placement import placements
from tritonkit.client.signature import Signature
from tritonkit.client.spent import Spent
from tritonkit.client.stack import Layer, Stack, Target, Transport
from tritonkit.client.transports import transport_for
from tritonkit.client.types import InferRequest, InferResponse, Parameter, Priority
from tritonkit.errors import ConfigError, InvalidInput, ModelUnavailable, RequestError
from tritonkit.units import parse_duration

__all__ = ["AsyncClient"]


class AsyncClient:
    """
    Dict in, dict out; a value alone is that of the only input.

    Inputs are checked and converted by the model's metadata, which is asked for
    once: of the server, or of those that the routes of a `Tiers` name where it
    cannot tell. Where nobody can, a last resort of the Tiers answers inputs that
    were not checked, and `degraded` says so. A client belongs to the event loop
    that uses it.

    Args:
        server: A URL such as "http://localhost:8000" or "grpc://localhost:8001",
            several of them for `Endpoints` with its defaults, or a transport.
        layers: The first is outermost: it sees the request first and the
            response last.
        jobs: Where the results of `submit` wait; in this process by default.
        pace: How many jobs are sent at a time, and how long closing waits for them.
        experiments: Where a `Split` keeps exposures and answers, and `record` outcomes:
            a log, the URL of a Redis server, or the path of an SQLite file; nowhere by
            default. It is closed with the client.

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
        self.transport = server if isinstance(server, Transport) else transport_for(server)
        self.stack = Stack(self.transport, layers)
        self.jobs = LocalJobs() if jobs is None else jobs
        self.pace = pace or Pace()
        self.experiments = None if experiments is None else log_at(experiments)
        if self.experiments is not None:
            self.stack.record_to(self.experiments)
        self._submissions: Submissions | None = None
        self._signatures = Inquiry(
            lambda model, version: self.stack.targets(Target(self.transport, model, version))
        )
        # What the model takes is asked for before the stack sees anything.
        watching = [layer for layer in self.stack.layers if isinstance(layer, Telemetry)]
        self._telemetry = watching[0] if watching else None
        others = (layer for layer in self.stack.layers if layer not in watching)
        outermost = next(others, None)
        self._longest = outermost.timeout if isinstance(outermost, Deadline) else None
        self._closing = False
        self._closed = False

    @classmethod
    def from_policy(
        cls, path: str | os.PathLike[str], *, environment: Mapping[str, str] | None = None
    ) -> Self:
        """
        A client with the server and the layers of a policy file.

        Args:
            path: To a file in TOML; see `tritonkit.client.policy.policy.Policy`.
            environment: Variables that it names; those of the process by default.

        Raises:
            PolicyError: If anything is wrong with it; tells all that is.
            ConfigError: If it cannot be read.
        """
        from tritonkit.client.policy.policy import load_policy

        policy = load_policy(path, environment=environment)
        return cls(
            *policy.build(),
            jobs=policy.jobs(),
            pace=policy.pace(),
            experiments=policy.experiments(),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.stack!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def infer(
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
        Send one inference request.

        Args:
            model: Name of the model.
            inputs: By input name: arrays, nested lists, scalars, str or bytes; or
                one of them by itself, for the only input that the model needs.
                A scalar or a text is one row, a list of texts a row for each.
                Arrays must not be changed before the answer is there.
            outputs: Names of the outputs wanted; None wants all.
            version: Model version; empty lets the server choose.
            parameters: Request parameters.
            timeout: "80ms", seconds or a timedelta, for everything that it
                takes; None waits as long as it takes.
            id: Handed back by the server.
            scope: Whose request it is, such as a tenant: an answer that a layer
                keeps is shared within a scope and never beyond it.
            tags: What layers decide by, such as {"user": "u17"}; not sent.
            priority: What is shed first: "shadow", "refresh", "batch", "live" last.

        Returns:
            The outputs by name. Text comes as bytes, BF16 as float32.

        Raises:
            InvalidInput: If the inputs do not fit the model; names what would.
            RequestError: If there is no answer; see `tritonkit.errors`.
            ConfigError: If the timeout is no duration, or the client is closed.
        """
        self._check_open()
        if retrying.get() or placements.get():
            call = self.infer(
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
            return await asyncio.get_running_loop().create_task(call, context=_apart())
        deadline = self._in_time(_deadline(timeout))
        wanted = None if outputs is None else tuple(outputs)
        spent = Spent()

        def request(signature: Signature | None) -> InferRequest:
            try:
                if wanted and signature is not None:
                    signature.check_outputs(wanted)
                arrays = as_given(inputs) if signature is None else signature.arrays(inputs)
            except InvalidInput as error:
                self._refused(model, error)
                raise
            return InferRequest(
                model=model,
                inputs=arrays,
                version=version,
                outputs=wanted,
                parameters=parameters or {},
                id=id,
                deadline=deadline,
                scope=scope,
                tags=tags or {},
                priority=priority,
                only_kept=signature is None,
                unchecked=signature is None,
                spent=spent,
            )

        known = self._signatures.known(model, version)
        if known is None:
            try:
                signature = await self._read(model, version, deadline)
            except InvalidInput as error:
                self._refused(model, error)
                raise
            except RequestError as error:
                answer = await self._stand_in(request, error)
                if answer is None:
                    if not self.stack.stands_in:
                        self._refused(model, error)
                    raise
                return answer
            return spent.added_to(await self.stack(request(signature)))
        self._signatures.renew(model, version)
        try:
            asked = request(known)
            # A kept answer takes half the time without the layers' coroutines; a look that
            # finds none is a tenth of what a miss costs.
            answer = self.stack.now(asked)
            if answer is None:
                answer = spent.added_to(await self.stack(asked))
            return answer
        except (InvalidInput, ModelUnavailable):
            # The model may be another one by now; where nobody can tell, the refusal stands.
            try:
                signature = await self._signatures.reread(model, version, deadline)
            except RequestError:
                signature = known
            if signature == known:
                raise
        return spent.added_to(await self.stack(request(signature)))

    async def submit(
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
    ) -> Job:
        """
        Begin an inference whose answer is fetched later, here or in any process.

        The inputs are checked and copied; the rest happens in the background, for
        as long as this client is open. Closing it waits for its jobs, 5 seconds by
        default, and fails those that are left.

        Args:
            model: As all others, see `infer`.
            inputs: They may be changed once this returns.
            outputs: Names of the outputs wanted; None wants all.
            version: Model version; empty lets the server choose.
            parameters: Request parameters.
            timeout: For the whole job, from now on.
            id: Of the request; handed back by the server.
            scope: Whose request it is.
            tags: What layers decide by.
            priority: "batch": nobody sits and waits for it.
            owner: Whose job it is, for a service that gives it out to nobody else; kept
                with it, whatever becomes of it.

        Returns:
            A handle: `await job.result("30s")`. By `job.id` others find it:
            `Jobs(url).job(id)`.

        Raises:
            InvalidInput: If the inputs do not fit the model.
            LimitExceeded: If too many jobs of this client wait already, see `Pace`.
            ServerUnavailable: If it could not be announced; nothing is begun.
            RequestError: If it cannot be known what the model takes, and no last
                resort would answer.
        """
        self._check_open()
        if self._closing:
            raise ConfigError("the client is closed")
        deadline = _deadline(timeout)
        known = self._signatures.known(model, version)
        in_time = self._in_time(deadline)
        try:
            signature = known or await self._read(model, version, in_time)
        except InvalidInput:
            raise
        except RequestError:
            if not self.stack.stands_in:
                raise
            # The job asks again; what it then has is what was given now.
            own = deepcopy(inputs)
        else:
            try:
                arrays = signature.arrays(inputs)
            except InvalidInput:
                if known is None:
                    raise
                # The model may be another one by now.
                signature = await self._signatures.reread(model, version, in_time)
                arrays = signature.arrays(inputs)
            if outputs:
                signature.check_outputs(tuple(outputs))
            own = {name: array.copy() for name, array in arrays.items()}
        infer = partial(
            self.infer,
            model,
            own,
            outputs=None if outputs is None else tuple(outputs),
            version=version,
            parameters=dict(parameters or {}),
            id=id,
            scope=scope,
            tags=dict(tags or {}),
            priority=priority,
        )

        async def work() -> InferResponse:
            left = None if deadline is None else max(deadline - monotonic(), 0.0)
            return await infer(timeout=left)

        if self._submissions is None:
            self._submissions = Submissions(self.jobs, self.pace)
        number = await self._submissions.submit(work, model=model, deadline=deadline, owner=owner)
        return Job(number, self.jobs)

    def infer_now(
        self,
        model: str,
        inputs: Mapping[str, Any] | Any,
        *,
        outputs: Sequence[str] | None = None,
        version: str = "",
        parameters: Mapping[str, Parameter] | None = None,
        id: str = "",
        scope: str = "",
        tags: Mapping[str, str] | None = None,
        priority: Priority = "live",
    ) -> InferResponse | None:
        """
        The answer that a layer has without waiting; None where `infer` must be asked.

        Needs no event loop, and may be called from any thread.
        """
        self._check_open()
        known = self._signatures.known(model, version)
        if known is None:
            return None
        try:
            if outputs:
                known.check_outputs(outputs)
            request = InferRequest(
                model=model,
                inputs=known.arrays(inputs),
                version=version,
                outputs=None if outputs is None else tuple(outputs),
                parameters=parameters or {},
                id=id,
                scope=scope,
                tags=tags or {},
                priority=priority,
            )
        except InvalidInput:
            # `infer` looks whether the model has changed.
            return None
        return self.stack.now(request)

    def record(self, answer: str, name: str, value: float, *, at: float | None = None) -> None:
        """
        Say what came of an answer, any time later and from any process. Never waits.

        Args:
            answer: Its id: `response.trace.answer`. Of an answer that no experiment has
                part in it is empty, and nothing is recorded.
            name: Of the metric, such as "conversion".
            value: Of the metric, such as 1.0.
            at: When it came, in seconds since 1970; now by default.

        Raises:
            ConfigError: If the client has no `experiments`, the id can be none, or the
                value is not finite.
        """
        self._check_open()
        if self.experiments is None:
            raise ConfigError("outcomes are kept by a client with experiments=, which this has not")
        record(self.experiments, answer, name, value, at)

    async def invalidate(self, model: str | None = None, scope: str | None = None) -> None:
        """
        End what any layer keeps of a model, of a scope, or all of it.

        Raises:
            ServerUnavailable: If a store that is shared with other processes could
                not be told.
        """
        self._check_open()
        await self.stack.invalidate(model, scope)

    async def signature(
        self, model: str, version: str = "", *, timeout: str | float | timedelta | None = None
    ) -> Signature:
        """What the model takes and gives, asked for anew."""
        self._check_open()
        return await self._signatures.read(model, version, _deadline(timeout))

    async def metadata(
        self, model: str, version: str = "", *, timeout: str | float | timedelta | None = None
    ) -> dict[str, Any]:
        """The model's metadata as KServe v2 has it: name, versions, platform, inputs, outputs."""
        self._check_open()
        return await self.transport.metadata(model, version, deadline=_deadline(timeout))

    async def config(
        self, model: str, version: str = "", *, timeout: str | float | timedelta | None = None
    ) -> dict[str, Any]:
        """The model's configuration as Triton completed it, field names as in the proto."""
        self._check_open()
        return await self.transport.config(model, version, deadline=_deadline(timeout))

    async def ready(
        self, model: str = "", version: str = "", *, timeout: str | float | timedelta | None = None
    ) -> bool:
        """
        Whether the server, or the named model, says that it takes requests.

        Raises:
            ServerUnavailable: If the server cannot be reached.
        """
        self._check_open()
        return await self.transport.ready(model, version, deadline=_deadline(timeout))

    async def statistics(
        self, model: str = "", version: str = "", *, timeout: str | float | timedelta | None = None
    ) -> list[dict[str, Any]]:
        """Triton's counters, one entry for each model and version; of all models by default."""
        self._check_open()
        return await self.transport.statistics(model, version, deadline=_deadline(timeout))

    def stats(self) -> Snapshot:
        """
        What the stack's Telemetry knows now; `stats().to_json()` for a page or a file.

        Raises:
            ConfigError: If there is no Telemetry among the layers.
        """
        if self._telemetry is None:
            raise ConfigError("there are no statistics without a Telemetry among the layers")
        return self._telemetry.snapshot()

    async def aclose(self) -> None:
        """
        Close the layers and the connections. A second time does nothing.

        Waits for jobs as long as the pace says; those that are left fail.
        """
        if self._closing:
            return
        self._closing = True
        async with AsyncExitStack() as closing:
            # From the last to the first; one that fails to close keeps none of the others open.
            if self.experiments is not None:
                closing.push_async_callback(self.experiments.aclose)
            closing.push_async_callback(self.jobs.aclose)
            closing.push_async_callback(self.stack.aclose)
            closing.push_async_callback(self._signatures.aclose)
            closing.callback(setattr, self, "_closed", True)
            if self._submissions is not None:
                await self._submissions.aclose()

    def _in_time(self, deadline: float | None) -> float | None:
        """The earlier one of *deadline* and that of a Deadline above everything."""
        if self._longest is None:
            return deadline
        longest = monotonic() + self._longest
        return longest if deadline is None else min(deadline, longest)

    async def _read(self, model: str, version: str, deadline: float | None) -> Signature:
        return await self._signatures.read(model, version, deadline, spare=self.stack.stands_in)

    async def _stand_in(
        self, request: Callable[[None], InferRequest], cause: RequestError
    ) -> InferResponse | None:
        """The answer of a last resort, where nobody knows what the model takes."""
        if not self.stack.stands_in:
            return None
        try:
            response = await self.stack(request(None))
        except RequestError:
            return None
        told = f"{response.trace.degraded}; inputs unchecked: {type(cause).__name__}"
        return replace(response, trace=replace(response.trace, degraded=told))

    def _refused(self, model: str, error: RequestError) -> None:
        """Count a call that never came to the stack."""
        if self._telemetry is not None:
            self._telemetry.refused(model, error)

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigError("the client is closed")


def _deadline(timeout: str | float | timedelta | None) -> float | None:
    return None if timeout is None else monotonic() + parse_duration(timeout, name="timeout")


def _apart() -> Context:
    """
    The context of a call that a layer of another client makes.

    What that client's layers say of their own call holds for no other: neither that it
    is made again if it fails, nor where it is to go.
    """
    context = copy_context()
    context.run(retrying.set, False)
    context.run(placements.set, ())
    return context
