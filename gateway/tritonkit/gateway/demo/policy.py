"""The policy of the demo: every layer in its place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tritonkit.gateway.demo.models import ACCURATE, FAST

__all__ = ["policy"]


def policy(
    servers: Sequence[str],
    *,
    redis: str | None,
    folder: Path,
    profile: Path | None,
    corpus: Path,
) -> str:
    """
    A policy file, in TOML.

    Args:
        servers: URLs of the Tritons.
        redis: URL; None where there is none, and everything is in memory.
        folder: For what is kept in files.
        profile: Of the traffic, for the watch on drift; None for no watch.
        corpus: Sentences to search in, a line each.
    """
    stores = ['{ type = "memory", size = "64MB" }']
    if redis is not None:
        stores.append(f'{{ type = "redis", url = {_text(redis)} }}')
    ledger = "" if redis is None else f'ledger = {{ type = "redis", url = {_text(redis)} }}\n'
    watch = "" if profile is None else _DRIFT.format(profile=_text(str(profile)))
    return _POLICY.format(
        servers=_text(servers[0]) if len(servers) == 1 else json.dumps(list(servers)),
        accurate=ACCURATE,
        fast=FAST,
        drift=watch,
        stores=", ".join(stores),
        ledger=ledger,
        experiments=_text(str(folder / "experiments.db")),
        history=_text(str(folder / "live.sqlite")),
        corpus=_text(str(corpus)),
    )


def _text(value: str) -> str:
    """As TOML writes it; a text of JSON is one of TOML, but for halves of characters."""
    return json.dumps(value, ensure_ascii=False)


_DRIFT = """
[[layers]]
type = "drift"
profiles = [{profile}]
share = "50%"
most = 20
"""

_POLICY = """\
# Written by `tritonkit demo`. `tritonkit policy explain` tells what it does.
server = {servers}
experiments = {{ type = "sqlite", path = {experiments} }}

[[layers]]
type = "telemetry"

# Nobody waits for longer.
[[layers]]
type = "deadline"
timeout = "5s"
{drift}
# A fifth of the users get the answers of the small model, and are compared with the others.
[[layers]]
type = "split"
experiment = "int8"
by = "user"

[[layers.arms]]
name = "control"
model = "{accurate}"
weight = 80

[[layers.arms.layers]]
type = "tiers"
last = ["stale"]

[[layers.arms.layers.routes]]
name = "accurate"
model = "{accurate}"
timeout = "1500ms"

[[layers.arms.layers.routes]]
name = "fast"
model = "{fast}"
timeout = "3s"

[[layers.arms]]
name = "treatment"
model = "{fast}"
weight = 20

[[layers.arms.layers]]
type = "tiers"
last = ["stale"]

[[layers.arms.layers.routes]]
name = "fast"
model = "{fast}"
timeout = "3s"

# Short, so that there is always something to compute.
[[layers]]
type = "cache"
ttl = "2m"
stale = "30s"
stale_if_error = "1h"
stores = [{stores}]

# Nothing below tells users apart, so that calls of all of them travel together.
[[layers]]
type = "coalesce"
apart = []

[[layers]]
type = "retry"
attempts = 2

# What a burst asks of the large model beyond 150 texts is answered by the small one.
[[layers]]
type = "budget"
quotas = [{{ limit = "0.15", model = "{accurate}", window = "10s", name = "accurate" }}]
on_loss = "fail_local"
{ledger}[layers.costs]
type = "costs"
prices = {{ {accurate} = {{ row = "0.001" }}, {fast} = {{ row = "0.0004" }} }}

[[layers]]
type = "limit"

[[layers]]
type = "breaker"

[gateway]
grace = "2s"

# The page steers the traffic too.
[gateway.live]
history = {history}
traffic = true

# For the page's tester, and for applications.
[gateway.models.{accurate}]

[gateway.models.{fast}]

[gateway.corpora.questions]
model = "{accurate}"
file = {corpus}
"""
