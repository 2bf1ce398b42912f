"""A policy with every layer builds what Python builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tritonkit.client import Cache, Coalesce, Route, Stack
from tritonkit.client.layers.breaker.breaker import Breaker
from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.budget.cost import Costs, Price
from tritonkit.client.layers.budget.limits import Quota
from tritonkit.client.layers.deadline.deadline import Deadline
from tritonkit.client.layers.hedge.hedge import Hedge
from tritonkit.client.layers.limit.limit import Limit
from tritonkit.client.layers.retry.retry import Retry
from tritonkit.client.layers.tiers.by_cost import ByCost
from tritonkit.client.layers.tiers.cascade import Cascade
from tritonkit.client.layers.tiers.constant import Constant
from tritonkit.client.layers.tiers.seed_rule import SeedRule
from tritonkit.client.layers.tiers.stale import Stale
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.client.ledgers.redis import RedisLedger
from tritonkit.client.policy.explain import explain
from tritonkit.client.policy.policy import Policy, load_policy
from tritonkit.client.stack import Layer
from tritonkit.client.transports.endpoints.endpoints import Endpoints
from tritonkit.errors import PolicyError

EXAMPLE = Path(__file__).parents[3] / "examples" / "tiers.toml"
SERVER = 'server = "http://localhost:8000"\n'
ROUTES = """
[[layers.routes]]
name = "a"
[[layers.routes]]
name = "b"
model = "other"
"""


def test_the_example_builds_what_python_builds() -> None:
    built = Stack(*load_policy(EXAMPLE, environment={}).build())
    budget = Budget(
        Quota("20 calls", per="user", model="embed_large", window="1h"),
        Quota("5.00", model="embed_large", window="1d"),
        costs=Costs(default=Price(row="0.001")),
        on_loss="fail_local",
    )
    made = Stack(
        Endpoints("http://localhost:8000", "http://localhost:8010"),
        [
            Deadline("250ms"),
            Tiers(
                Route("accurate", model="embed_large", timeout="80ms"),
                Route("fast", model="embed_int8"),
                strategy=ByCost(SeedRule(words=20)),
                last=[Stale(), Constant({"label": "unknown"})],
            ),
            Cache(ttl="24h", stale_if_error="7d"),
            Coalesce(),
            Retry(2),
            budget,
            Breaker(),
        ],
    )
    assert repr(built) == repr(made)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ('type = "retry"\nattempts = 5\nbudget = "20%"', Retry(5, budget="20%")),
        ('type = "breaker"\nfailure_rate = 0.1', Breaker(0.1)),
        ('type = "hedge"\npercentile = 99\nmodels = ["m"]', Hedge(99, models=["m"])),
        ('type = "limit"\nfixed = 3\nshares = { batch = 0 }', Limit(fixed=3, shares={"batch": 0})),
        (
            'type = "tiers"\nstrategy = { type = "cascade", threshold = 0.8 }' + ROUTES,
            Tiers(Route("a"), Route("b", model="other"), strategy=Cascade(threshold=0.8)),
        ),
        (
            'type = "budget"\nledger = { type = "redis", url = "redis://h" }\n'
            'quotas = [{ limit = "1 call", window = "1s" }]',
            Budget(Quota("1 call", window="1s"), ledger=RedisLedger("redis://h")),
        ),
    ],
)
def test_layers(text: str, made: Layer) -> None:
    _, (built,) = Policy(f"{SERVER}[[layers]]\n{text}", environment={}).build()
    assert repr(built) == repr(made)


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ('type = "tiers"', 2, "layers[0]", "Tiers needs a route at least"),
        ('type = "tiers"\nstrategy = "cascade"' + ROUTES, 4, "layers[0].strategy", "a threshold"),
        ('type = "tiers"\nstrategy = "fallbak"', 4, "layers[0].strategy", "'fallback'?"),
        ('type = "tiers"\nlast = ["stail"]', 4, "layers[0].last[0]", "Did you mean 'stale'?"),
        (
            'type = "budget"\nquotas = [\n{ limit = "1 call", window = "1s" },\n{ limit = -1 }]',
            6,
            "layers[0].quotas[1]",
            "needs window: a duration such as '10s'.",
        ),
        ('type = "budget"\non_loss = "open"', 4, "layers[0].on_loss", "one of fail_closed"),
        ('type = "limit"\nshares = { btach = 1 }', 4, "layers[0].shares.btach", "'batch'?"),
        ('type = "retry"\nattempts = 0', 4, "layers[0].attempts", "attempts must be at least 1"),
        ('type = "breaker"\nslow = "1 s"\nwindow = 0', 5, "layers[0].window", "window must be"),
    ],
)
def test_findings(text: str, line: int, key: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(f"{SERVER}[[layers]]\n{text}", environment={})
    found = {f"{finding.line} {finding.key}": finding.message for finding in caught.value.findings}  # type: ignore[attr-defined]
    assert message in found[f"{line} {key}"]


def test_explain_tells_of_nested_parts() -> None:
    route = '[[layers.routes]]\nname = "fast"\n'
    nested = '[[layers.routes.layers]]\ntype = "budget"\nquotas = []\n'
    text = EXAMPLE.read_text().replace(route, nested + route)
    told = explain(Policy(text, environment={}))
    lines = [line.strip() for line in told.splitlines()]
    assert "strategy: by_cost" in lines
    assert any(line.startswith("2.1.1. budget: a request fails with BudgetExc") for line in lines)
    assert "2. tiers: dear rows go to the first route, simple ones to the last." in lines
    assert "1. deadline: whatever is not answered after 250ms fails with DeadlineExceeded." in lines
