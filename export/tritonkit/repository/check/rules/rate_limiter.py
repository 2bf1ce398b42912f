"""The rate limiter: resources that instances wait for before they run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["resource_of_two_scopes"]


class _Resource(NamedTuple):
    name: str
    is_global: bool
    path: tuple[str | int, ...]


def _resources(model: Subject) -> Iterator[_Resource]:
    for index, group in enumerate(model.given.instance_group):
        for number, resource in enumerate(group.rate_limiter.resources):
            path = ("instance_group", index, "rate_limiter", "resources", number)
            yield _Resource(resource.name, getattr(resource, "global"), path)


@rule(
    "TK100",
    "resource-of-two-scopes",
    Severity.WARNING,
    "a resource that is global here and of a device there",
)
def resource_of_two_scopes(model: Subject) -> Iterator[Found]:
    """
    A resource is counted once for the whole server, or once for each device.

    Its name means one of the two for all models of a server. A server that limits rates,
    started with `--rate-limit=execution_count`, refuses the model that disagrees; a server
    that does not limit them ignores every resource.
    """
    own = list(_resources(model))
    if not own:
        return
    first: dict[str, tuple[bool, str]] = {}
    for other in model.neighbours:
        if other.name != model.name and other.parsed:
            for name, is_global, _ in _resources(other):
                first.setdefault(name, (is_global, f"model {other.name!r}"))
    for name, is_global, path in own:
        scope, owner = first.setdefault(name, (is_global, "another instance group"))
        if scope != is_global:
            here, there = ("global", "of a device") if is_global else ("of a device", "global")
            yield Found(
                path,
                message=f"Resource {name!r} is {here}, and in {owner} it is {there}.",
                advice="Make it global everywhere or nowhere, or use two names.",
                triton=f'Resource "{name}" is present as both global and device-specific resource '
                "in the model configuration.",
                value=name,
            )
