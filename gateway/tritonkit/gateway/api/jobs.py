"""`/api/jobs`: requests whose answers are fetched later."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

import numpy as np

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.jobs.local import LocalJobs
from tritonkit.client.jobs.record import Record
from tritonkit.client.jobs.seen import id_bytes
from tritonkit.client.jobs.waiting import Status, Waiting, status_of
from tritonkit.client.types import Priority
from tritonkit.errors import ConfigError, ServerUnavailable
from tritonkit.gateway.api.call import Call
from tritonkit.gateway.api.entrance import Reply
from tritonkit.gateway.api.fields import Fields, wrong
from tritonkit.gateway.api.tensors import read_inputs, written
from tritonkit.gateway.api.traced import plain
from tritonkit.gateway.api.writing import LONG
from tritonkit.gateway.http.aside import aside
from tritonkit.gateway.protocol.errors import status_of as http_status_of
from tritonkit.gateway.tenants.marks import MAX_TIMEOUT
from tritonkit.gateway.tenants.refused import Refused
from tritonkit.units import format_duration, parse_duration

__all__ = ["Jobs"]

_FIELDS = (
    "model", "inputs", "version", "outputs", "parameters", "priority", "timeout", "id",
)  # fmt: skip
_PRIORITIES: tuple[Priority, ...] = ("batch", "live")
_MOST = 100
_LONG = 64 * 1024
"""Bytes of a document whose inputs take some milliseconds to read."""


class Jobs:
    """
    Args:
        client: Of the worker; its board is where jobs wait.
        workers: Of the gateway.
        max_wait: The longest that a question for a result may wait, in seconds.
    """

    def __init__(self, client: AsyncClient, workers: int, max_wait: float) -> None:
        self._client = client
        self._apart = workers > 1 and isinstance(client.jobs, LocalJobs)
        self._max_wait = max_wait

    async def submit(self, call: Call) -> Reply:
        """Begin one."""
        if self._apart:
            raise wrong(
                'several workers keep jobs apart: the policy needs [jobs] with type = "redis"',
                status=501,
            )
        fields = Fields(call.document, _FIELDS)
        call.model, version = fields.text("model"), fields.text("version", "", most=20)
        if not call.model:
            raise wrong("'model' must be a model's name, but got ''")
        if version and not (version.isascii() and version.isdigit()):
            raise wrong(f"'version' must be a number such as '3', but got {version!r}")
        given = fields.any("inputs")
        long = call.size > _LONG
        inputs = await aside(read_inputs, given) if long else read_inputs(given)
        outputs = None
        if "outputs" in fields:
            outputs = tuple(fields.texts("outputs", most=_MOST, longest=200))
        timeout = _timeout(call, fields)
        call.count_rows(_rows(inputs))
        job = await self._client.submit(
            call.model,
            inputs,
            outputs=outputs,
            version=version,
            parameters=_parameters(fields),
            timeout=timeout,
            id=fields.text("id", "", most=200),
            scope=call.tenant.scope,
            tags=call.tags,
            priority=_priority(call, fields),
            owner=call.tenant.name,
        )
        place = f"/api/jobs/{job.id}"
        return Reply({"id": job.id, "state": "running", "url": place}, 202, {"location": place})

    async def look(self, call: Call) -> Reply:
        """How one is, and its answer."""
        id = call.path["id"]
        try:
            number = id_bytes(id)
        except ConfigError:
            raise _unknown(id) from None
        status, record = await self._wait(call, id, number, self._patience(call))
        # Of somebody else's job nobody learns that it is one.
        if record is None or record.owner != call.tenant.name:
            raise _unknown(id)
        found: dict[str, Any] = {"id": id, "state": status}
        long = False
        if record.response is not None:
            long = any(each.size > LONG for each in record.response.outputs.values())
            response = record.response
            found["result"] = await aside(written, response) if long else written(response)
            if call.tenant.trace:
                rows = max((len(a) for a in record.response.outputs.values() if a.ndim), default=1)
                found["trace"] = plain(record.response.trace, rows)
        elif record.error is not None:
            error = record.error
            found["error"] = str(error)
            found["kind"] = type(error).__name__
            # A job may have failed by any error; what is no RequestError is told with 500.
            found["status"] = http_status_of(error)  # type: ignore[arg-type]
        elif status == "lost":
            found["error"] = "nobody works on it any more: the gateway that did has ended"
        return Reply(found, 200, {"retry-after": "1"} if status == "running" else {}, long)

    async def _wait(
        self, call: Call, id: str, number: bytes, patience: float
    ) -> tuple[Status, Record | None]:
        """Look until it has ended, or for as long as the caller waits."""
        waiting = Waiting()
        end = monotonic() + patience
        while True:
            try:
                seen = status_of(number, await self._client.jobs.see(id))
            except ServerUnavailable as error:
                now = monotonic()
                if waiting.silent(now) or now >= end or call.leaving.is_set():
                    raise Refused(str(error), status=503, reason="jobs", retry_after=1.0) from error
            else:
                status, record = seen
                mine = record is not None and record.owner == call.tenant.name
                # While the gateway ends, whoever asks again finds another worker.
                over = call.leaving.is_set() or monotonic() >= end
                if status in ("done", "failed") or not mine or over:
                    return seen
                if waiting.lost(status, monotonic()):
                    return seen
            with suppress(TimeoutError):
                async with asyncio.timeout(max(min(waiting.pause(), end - monotonic()), 0)):
                    await call.leaving.wait()

    def _patience(self, call: Call) -> float:
        wait = call.query.get("wait", "0s")
        try:
            seconds = parse_duration(wait, name="wait")
        except ConfigError as error:
            raise wrong(str(error)) from None
        if seconds > self._max_wait:
            most = format_duration(self._max_wait)
            raise wrong(f"wait must be {most} at most, but got {wait!r}")
        left = call.remaining()
        return seconds if left is None else min(seconds, left)


def _unknown(id: str) -> Exception:
    return wrong(
        f"no job {id[:40]!r}: there never was one, its result has waited for too long, "
        "or it is somebody else's",
        status=404,
    )


def _rows(inputs: Mapping[str, Any]) -> int:
    """As far as they tell by themselves; a scalar or a text is one row."""
    sizes = [
        len(each) if isinstance(each, list) or np.ndim(each) else 1 for each in inputs.values()
    ]
    return max(sizes, default=1)


def _timeout(call: Call, fields: Fields) -> float | None:
    """The earliest of the body's, the header's and the tenant's."""
    left = call.remaining()
    if "timeout" not in fields:
        return left
    said = fields.text("timeout", most=40)
    try:
        seconds = parse_duration(said, name="'timeout'")
    except ConfigError as error:
        raise wrong(str(error)) from None
    if seconds > MAX_TIMEOUT:
        raise wrong(f"'timeout' must be 24h at most, but got {said!r}")
    return seconds if left is None else min(seconds, left)


def _priority(call: Call, fields: Fields) -> Priority:
    if "priority" not in fields and call.marks.priority is not None:
        return call.marks.priority
    return "live" if fields.choice("priority", _PRIORITIES) == "live" else "batch"


def _parameters(fields: Fields) -> dict[str, str | int | float | bool]:
    if "parameters" not in fields:
        return {}
    found = fields.any("parameters")
    if not isinstance(found, dict) or len(found) > _MOST:
        raise wrong(f"'parameters' must be values by name, {_MOST} at most")
    for name, value in found.items():
        if not isinstance(value, str | int | float | bool):
            raise wrong(f"parameter {name[:80]!r} must be a text, a number, true or false")
    return found
