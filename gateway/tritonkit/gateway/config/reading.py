"""A policy file as a gateway reads it: its policy and its `[gateway]` table."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from tritonkit.client.policy.building import Builder, broken
from tritonkit.client.policy.findings import Finding, meant, one_of
from tritonkit.client.policy.policy import Policy
from tritonkit.client.policy.positions import positions
from tritonkit.client.policy.schema import schema_of
from tritonkit.client.policy.variables import Variables
from tritonkit.errors import ConfigError, PolicyError
from tritonkit.gateway.config.config import GatewayConfig, Listening
from tritonkit.gateway.http.bounds import Bounds
from tritonkit.gateway.tenants.settings import Tenant
from tritonkit.gateway.tenants.tenants import Tenants

__all__ = ["read_config"]

_TABLES = ("tenants",)
_FLAT = (Listening, Bounds)
"""Whose options stand in the table itself."""


def read_config(
    text: str,
    *,
    name: str = "policy",
    environment: Mapping[str, str] | None = None,
    server: Sequence[str] = (),
) -> tuple[Policy, GatewayConfig]:
    """
    Read a policy and what it says of the gateway.

    Args:
        text: In TOML; empty for nothing but the defaults.
        name: What messages call it.
        environment: Variables; those of the process by default.
        server: URLs in place of the file's server.

    Raises:
        PolicyError: If anything is wrong with either; tells all that is.
    """
    environment = dict(os.environ if environment is None else environment)
    findings: list[Finding] = []
    policy: Policy | None = None
    wrong: PolicyError | None = None
    try:
        policy = Policy(text, name=name, environment=environment, server=server)
    except PolicyError as error:
        wrong = error
        findings = [each for each in error.findings if isinstance(each, Finding)]
    try:
        document = tomllib.loads(text)
        builder = Builder(positions(text), Variables(environment))
    except (ValueError, RecursionError):
        assert wrong is not None
        raise wrong from None
    config = _config(builder, document.get("gateway", {}))
    found = sorted({*findings, *builder.findings})
    if found or policy is None or config is None:
        raise PolicyError(f"{name} is wrong", found)
    return policy, config


def _config(builder: Builder, table: Any) -> GatewayConfig | None:
    path = ("gateway",)
    if not isinstance(table, dict):
        builder.find(path, f"must be a table, but got {table!r}.")
        return None
    known = [*_TABLES, *(name for made in _FLAT for name in schema_of(made).names())]
    for key in table:
        if key not in known:
            builder.find(
                (*path, key), f"is no option; there are {one_of(known)}.{meant(key, known)}"
            )
    parts = []
    for made in _FLAT:
        options = schema_of(made).options
        own = {key: value for key, value in table.items() if key in options}
        parts.append(builder.of(made, own, path))
    tenants = _tenants(builder, table.get("tenants", {}), (*path, "tenants"))
    if builder.findings or broken(parts):
        return None
    return GatewayConfig(listening=parts[0], bounds=parts[1], tenants=tenants)


def _tenants(builder: Builder, table: Any, path: tuple[str, ...]) -> tuple[Tenant, ...]:
    if not isinstance(table, dict):
        builder.find(path, "must be a table for each tenant, by its name.")
        return ()
    found = []
    for name, options in table.items():
        here = (*path, name)
        if not isinstance(options, dict):
            builder.find(here, "must be a table.")
        elif "name" in options:
            builder.find((*here, "name"), "is the table's own name.")
        else:
            found.append(builder.of(Tenant, {"name": name, **options}, here))
    if broken(found):
        return ()
    try:
        Tenants(found).close()
    except ConfigError as error:
        builder.find(path, str(error))
    return tuple(found)
