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
    first: dict[str, bool] = {}
    for name, is_global, path in _resources(model):
        owner = model.neighbours.resource_scopes.get(name, {}).get(not is_global, model.name)
        if owner != model.name or first.setdefault(name, is_global) != is_global:
            where = "another place here" if owner == model.name else f"model {owner!r}"
            here, there = ("global", "of a device") if is_global else ("of a device", "global")
            yield Found(
                path,
                message=f"Resource {name!r} is {here}, and in {where} it is {there}.",
                advice="Make it global everywhere or nowhere, or use two names.",
                triton=f'Resource "{name}" is present as both global and device-specific resource '
                "in the model configuration.",
                value=name,
            )
