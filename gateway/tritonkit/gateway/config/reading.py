"""A policy file as a gateway reads it: its policy and its `[gateway]` table."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from tritonkit.client.policy.building import Builder, broken
from tritonkit.client.policy.findings import Finding, meant, one_of, quoted
from tritonkit.client.policy.policy import Policy
from tritonkit.client.policy.positions import positions
from tritonkit.client.policy.schema import schema_of
from tritonkit.client.policy.variables import Variables
from tritonkit.errors import ConfigError, PolicyError
from tritonkit.gateway.api.settings import ApiSettings, Corpus, TextModel
from tritonkit.gateway.config.config import GatewayConfig, Listening
from tritonkit.gateway.http.bounds import Bounds
from tritonkit.gateway.live.settings import LiveSettings
from tritonkit.gateway.tenants.settings import Tenant
from tritonkit.gateway.tenants.tenants import Tenants

__all__ = ["read_config"]

_T = TypeVar("_T")

_TABLES = ("api", "corpora", "live", "models", "tenants")
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
    Read a policy and what it says of the gateway. A corpus without its file is among the warnings.

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
    for corpus in config.api.corpora:
        if not corpus.path.is_file():
            # It may come before anybody searches in it.
            builder.find(
                ("gateway", "corpora", corpus.name, "file"),
                f"there is no file {str(corpus.path.absolute())!r}; "
                "searches fail until it is there.",
            )
    policy.warnings = tuple(sorted({*policy.warnings, *builder.findings}))
    return policy, config


def _config(builder: Builder, table: Any) -> GatewayConfig | None:
    path = ("gateway",)
    if not isinstance(table, dict):
        builder.find(path, f"must be a table, but got {quoted(table)}.")
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
    tenants = _named(builder, Tenant, table, "tenants")
    models = _named(builder, TextModel, table, "models")
    corpora = _named(builder, Corpus, table, "corpora")
    api = _table(builder, ApiSettings, table, "api")
    live = _table(builder, LiveSettings, table, "live")
    if tenants is not None:
        try:
            Tenants(tenants).close()
        except ConfigError as error:
            builder.find((*path, "tenants"), str(error))
    if models is not None and corpora is not None:
        try:
            ApiSettings(models=models, corpora=corpora)
        except ConfigError as error:
            builder.find((*path, "corpora"), str(error))
    if builder.findings or broken([*parts, api, live]):
        return None
    return GatewayConfig(
        listening=parts[0],
        bounds=parts[1],
        tenants=tenants or (),
        api=replace(api, models=models, corpora=corpora),
        live=live,
    )


def _table(builder: Builder, made: type, table: Any, key: str) -> Any:
    """What stands in the table under *key*."""
    path = ("gateway", key)
    options = table.get(key, {})
    if not isinstance(options, dict):
        builder.find(path, f"must be a table, but got {quoted(options)}.")
        return None
    return builder.of(made, options, path)


def _named(builder: Builder, made: type[_T], table: Any, key: str) -> tuple[_T, ...] | None:
    """
    What stands in the tables under *key*, each called as its table is.

    Returns:
        None where one of them is wrong.
    """
    path = ("gateway", key)
    tables = table.get(key, {})
    if not isinstance(tables, dict):
        builder.find(path, "must be tables by name.")
        return None
    found = []
    for name, options in tables.items():
        here = (*path, name)
        if not isinstance(options, dict):
            builder.find(here, "must be a table.")
        elif "name" in options:
            builder.find((*here, "name"), "is the table's own name.")
        else:
            found.append(builder.of(made, {"name": name, **options}, here))
    return None if broken(found) or len(found) < len(tables) else tuple(found)
