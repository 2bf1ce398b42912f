"""One request of an application, while it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.trace import UNSEEN, Trace
from tritonkit.client.types import InferResponse
from tritonkit.errors import DeadlineExceeded
from tritonkit.gateway.api.traced import merged
from tritonkit.gateway.tenants.marks import PLAIN, Marks
from tritonkit.gateway.tenants.settings import EVERYBODY, Tenant
from tritonkit.gateway.tenants.stamped import deadline_of
from tritonkit.gateway.tenants.tenants import Tenants

__all__ = ["Call"]


class Call:
    """
    Who asks, until when, and what was asked of models for it.

    Args:
        client: Of the worker.
        tenants: For their limits of rows.
        began: Seconds of `time.monotonic` when it came.
    """

    def __init__(self, client: AsyncClient, tenants: Tenants, began: float) -> None:
        self.client = client
        self.tenant: Tenant = EVERYBODY
        self.name = ""
        """Of the tenant, also where it was turned away; empty where nobody knows."""
        self.marks: Marks = PLAIN
        self.document: Any = None
        self.size = 0
        """Of the document, in bytes."""
        self.path: Mapping[str, str] = {}
        self.query: Mapping[str, str] = {}
        self.accept = ""
        self.leaving = asyncio.Event()
        """Set when the gateway is about to end, for what only waits."""
        self.model = ""
        self.rows = 0
        self._tenants = tenants
        self._began = began
        self._parts: list[tuple[Trace, int]] = []

    @property
    def tags(self) -> Mapping[str, str]:
        """The tenant's and the caller's."""
        return {**self.marks.tags, **self.tenant.tags}

    @property
    def deadline(self) -> float | None:
        """When the answer is too late; None for never."""
        return deadline_of(self.tenant, self.marks, self._began)

    @property
    def asked(self) -> bool:
        """Whether a model answered anything."""
        return bool(self._parts)

    @property
    def trace(self) -> Trace:
        """Of all that models answered so far."""
        return merged(self._parts) if self._parts else UNSEEN

    def remaining(self) -> float | None:
        """
        Seconds until the deadline; None without one.

        Raises:
            DeadlineExceeded: If it has passed.
        """
        deadline = self.deadline
        if deadline is None:
            return None
        left = deadline - monotonic()
        if left <= 0:
            raise DeadlineExceeded("the time ran out before a model was asked", model=self.model)
        return left

    def count_rows(self, rows: int) -> None:
        """
        Take rows from the tenant's limit.

        Raises:
            Refused: If there are too many.
        """
        self.rows += rows
        self._tenants.count_rows(self.tenant, rows)

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        rows: int,
        version: str = "",
        outputs: tuple[str, ...] | None = None,
    ) -> InferResponse:
        """
        Ask a model for the tenant, until the deadline.

        Raises:
            RequestError: If there is no answer.
        """
        response = await self.client.infer(
            model,
            inputs,
            version=version,
            outputs=outputs,
            timeout=self.remaining(),
            scope=self.tenant.scope,
            tags=self.tags,
            priority=self.marks.priority or "live",
        )
        self._parts.append((response.trace, rows))
        return response
