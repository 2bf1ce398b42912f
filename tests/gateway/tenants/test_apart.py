"""Two workers, Redis, two tenants that would like to see each other, and tokens nobody shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.running import Gateway, running_gateway

from tritonkit.client.testing.redis_server import RedisServer

if TYPE_CHECKING:
    from conftest import Triton

ALPHA, BETA, BOSS = "alpha-0123456789abcdef", "beta-0123456789abcdef", "boss-0123456789abcdef"
WRONG = "wrong-0123456789abcdef"
POLICY = f"""
experiments = {{ type = "sqlite", path = "FOLDER/events.sqlite" }}

[[layers]]
type = "cache"
stores = [{{ type = "memory", size = "1MB" }}, {{ type = "redis", url = "REDIS" }}]

[[layers]]
type = "coalesce"

[[layers]]
type = "budget"
quotas = [{{ limit = "40", per = "tenant", window = "24h" }}]
costs = {{ type = "costs", default = {{ call = "1" }} }}
ledger = {{ type = "redis", url = "REDIS" }}

[jobs]
type = "redis"
url = "REDIS"

[gateway.live]
history = "FOLDER/live.sqlite"

[gateway.models.words]
model = "embedder"

[gateway.tenants.alpha]
token = "{ALPHA}"

[gateway.tenants.beta]
token = "{BETA}"

[gateway.tenants.boss]
token = "{BOSS}"
rights = ["metrics", "live"]
"""


class Asked:
    """Asks, and keeps all that was ever said."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.heard = b""

    def __call__(
        self, token: str, method: str, path: str, document: Any = None, **headers: str
    ) -> tuple[int, Any, dict[str, Any]]:
        """Status, body and trace; a connection each, so that any worker may answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            named["Authorization"] = f"Bearer {token}"
        body = None if document is None else json.dumps(document)
        if body is not None:
            named["Content-Type"] = "application/json"
        connection = HTTPConnection("127.0.0.1", self._gateway.port, timeout=30)
        try:
            connection.request(method, path, body, named)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        self.heard += str(response.getheaders()).encode() + data
        trace = json.loads(response.headers.get("X-Tritonkit-Trace", "{}"))
        kind = response.headers.get("Content-Type", "")
        return response.status, json.loads(data) if "json" in kind else data, trace


def numbers(x: float, **more: object) -> dict[str, Any]:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [x] * 4}
    return {"inputs": [tensor], **more}


def test_tenants_see_nothing_of_each_other_and_nobody_a_token(
    triton: Triton,
    redis_server: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    text = POLICY.replace("REDIS", redis_server.url).replace("FOLDER", str(tmp_path))
    secrets = [each.encode() for each in (ALPHA, BETA, BOSS, WRONG)]
    with running_gateway(text, "--workers", "2", upstream=triton.http, folder=tmp_path) as gateway:
        for worker in range(2):
            gateway.wait_for(f"worker {worker} serves")
        ask = Asked(gateway)
        answers_are_their_own(ask)
        budgets_are_their_own(ask)
        jobs_are_their_own(ask)
        nobody_unknown_comes_in(ask)
        state, page, _ = ask(BOSS, "GET", "/live/state")
        metrics, scraped, _ = ask(BOSS, "GET", "/metrics")
        assert (state, metrics) == (200, 200)
        assert {each["tenant"] for each in page["recent"]} <= {"alpha", "beta", ""}
        assert b'tenant="alpha"' in scraped
        # In files that go with the gateway, and in those that stay.
        (tmp_path / "serving.toml").unlink()
        assert list(tmp_path.glob("tritonkit-gateway-*/metrics-*"))
        files = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
        assert gateway.stop() == 0, gateway.log
        said = ask.heard + gateway.log.encode() + files
        assert files
        assert [secret for secret in secrets if secret in said] == []
        assert "Traceback" not in gateway.log


def kept(ask: Callable[..., Any], *asked: Any) -> None:
    """Until no worker has to ask the model any more: what one learns goes to Redis when it can."""
    end, row = monotonic() + 20, 0
    while row < 8:
        _, _, trace = ask(ALPHA, "POST", *asked)
        row = 0 if "model" in trace["origins"] else row + 1
        assert monotonic() < end


def answers_are_their_own(ask: Callable[..., Any]) -> None:
    infer = "/v2/models/keeps/infer"
    kept(ask, infer, numbers(1))
    for tags in ("tenant=alpha", "tenant=alpha,user=u", "purse=alpha"):
        status, body, _ = ask(BETA, "POST", infer, numbers(1), X_Tritonkit_Tags=tags)
        assert (status, "which the gateway does" in body["error"]) == (400, True)
    names = {"X_Tritonkit_Scope": "alpha", "X_Tritonkit_Tenant": "alpha", "X_Scope": "alpha"}
    said = ask(BETA, "POST", f"{infer}?scope=alpha", numbers(1), **names)
    assert (said[0], said[2]["origins"]) == (200, {"model": 1})
    asked = numbers(1, parameters={"scope": "alpha", "tenant": "alpha"})
    assert ask(BETA, "POST", infer, asked)[2]["origins"] == {"model": 1}
    embed = {"texts": ["a secret of alpha's"]}
    kept(ask, "/api/embed", embed)
    status, body, _ = ask(BETA, "POST", "/api/embed", {**embed, "scope": "alpha"})
    assert (status, "has no field 'scope'" in body["error"]) == (400, True)
    assert ask(BETA, "POST", "/api/embed", embed)[2]["origins"] == {"model": 1}


def budgets_are_their_own(ask: Callable[..., Any]) -> None:
    infer = "/v2/models/keeps/infer"
    said = [ask(BETA, "POST", infer, numbers(100.5 + n)) for n in range(41)]
    assert said[-1][0] == 429
    assert "alpha" not in str([body for _, body, _ in said])
    assert ask(ALPHA, "POST", infer, numbers(2))[0] == 200


def jobs_are_their_own(ask: Callable[..., Any]) -> None:
    job = {"model": "keeps", "inputs": {"x": [[3, 3, 3, 3]]}}
    status, mine, _ = ask(ALPHA, "POST", "/api/jobs", job)
    assert status == 202
    found = ask(ALPHA, "GET", f"{mine['url']}?wait=20s")[1]
    assert found["state"] == "done"
    status, body, _ = ask(BETA, "GET", f"{mine['url']}?wait=20s")
    other = "0" * 32
    none = ask(BETA, "GET", f"/api/jobs/{other}")
    # What is somebody else's is said to be as little there as what never was.
    assert (status, body["error"].replace(mine["id"], other)) == (404, none[1]["error"])
    assert ask(BETA, "POST", "/api/jobs", {**job, "owner": "alpha"})[0] == 400


def nobody_unknown_comes_in(ask: Callable[..., Any]) -> None:
    for method, path, document in (
        ("POST", "/v2/models/keeps/infer", numbers(1)),
        ("GET", "/v2", None),
        ("POST", "/api/embed", {"texts": ["a"]}),
        ("GET", "/api/jobs/" + "0" * 32, None),
        ("POST", "/api/outcomes", {"answer": "0" * 32, "name": "n", "value": 1}),
        ("GET", "/metrics", None),
        ("GET", "/live/state", None),
        ("GET", "/live/events", None),
        ("POST", "/live/compare", {"model": "words", "a": "a", "b": "b"}),
    ):
        assert ask(WRONG, method, path, document)[0] == 401, path
        assert ask("", method, path, document)[0] == 401, path
        if path in ("/metrics", "/live/state", "/live/events", "/live/compare"):
            assert ask(ALPHA, method, path, document)[0] == 403, path
        else:
            assert ask(BOSS, method, path, document)[0] == 403, path
