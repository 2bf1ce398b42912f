"""A request, with what its tenant and its headers say of it."""

from __future__ import annotations

from tritonkit.client.types import InferRequest
from tritonkit.gateway.tenants.marks import Marks
from tritonkit.gateway.tenants.settings import Tenant

__all__ = ["deadline_of", "stamped"]


def stamped(request: InferRequest, tenant: Tenant, marks: Marks, now: float) -> InferRequest:
    """
    *request* in the tenant's scope, with all tags, the priority and the earliest deadline.

    Args:
        request: As it was read; its own scope and tags do not count.
        tenant: Whose it is.
        marks: Of its headers.
        now: Seconds of `time.monotonic` when it came.
    """
    deadline = deadline_of(tenant, marks, now)
    if deadline is None or (request.deadline is not None and request.deadline < deadline):
        deadline = request.deadline
    return InferRequest(
        model=request.model,
        inputs=request.inputs,
        version=request.version,
        outputs=request.outputs,
        parameters=request.parameters,
        id=request.id,
        deadline=deadline,
        scope=tenant.scope,
        tags={**marks.tags, **tenant.tags} if marks.tags else tenant.tags,
        priority=marks.priority or request.priority,
        only_kept=request.only_kept,
        unchecked=request.unchecked,
        spent=request.spent,
    )


def deadline_of(tenant: Tenant, marks: Marks, now: float) -> float | None:
    """When the answer is too late for the caller or for the tenant; None for neither."""
    if marks.timeout is None:
        return None if tenant.timeout is None else now + tenant.timeout
    if tenant.timeout is None:
        return now + marks.timeout
    return now + min(marks.timeout, tenant.timeout)
