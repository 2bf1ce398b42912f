"""
A real Prometheus with the configuration of docker/ scrapes a real gateway and a real Triton:
what alerts, dashboard and autoscalers ask for is there.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
import yaml

from tritonkit.client.layers.telemetry.families import FAMILIES
from tritonkit.client.testing.redis_server import RedisServer
from tritonkit.server.ports import choose_ports

if TYPE_CHECKING:
    from conftest import ServeModels

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds that a machine with much else to do may take for what takes one or two."""
TOKENS = {"app": "0f" * 32, "prometheus": "f0" * 32}
KEPT = """
parameters { key: "tritonkit.model_digest" value { string_value: "0123" } }
parameters { key: "tritonkit.batch_invariant" value { string_value: "true" } }
"""
# Every kind of layer that rules and dashboard ask about, but Drift, which needs a profile.
POLICY = """
server = ["{triton}", "{same}"]
experiments = {{ type = "sqlite", path = "{folder}/experiments.db" }}

[[layers]]
type = "telemetry"
name = "gateway"
tokens = {{ type = "tokens" }}

[[layers]]
type = "deadline"
timeout = "5s"

[[layers]]
type = "split"
experiment = "fast"
by = "user"
models = ["keeps"]
[[layers.arms]]
name = "control"
model = "keeps"
[[layers.arms.layers]]
type = "tiers"
[[layers.arms.layers.routes]]
name = "accurate"
model = "keeps"
[[layers.arms.layers.routes]]
name = "fast"
model = "doubles"
[[layers.arms]]
name = "treatment"
model = "doubles"

[[layers]]
type = "cache"
stores = [{{ type = "memory", size = "1MB" }}, {{ type = "redis", url = "{redis}" }}]

[[layers]]
type = "coalesce"

[[layers]]
type = "retry"
attempts = 2

[[layers]]
type = "budget"
costs = {{ type = "costs", default = {{ row = "0.001" }} }}
quotas = [
  {{ limit = "1000.00", window = "1d", name = "day" }},
  {{ limit = "1000 rows", window = "1h", name = "hour" }},
]

[[layers]]
type = "limit"

[[layers]]
type = "breaker"

[gateway.tenants.app]
token = "{app}"

[gateway.tenants.prometheus]
token = "{prometheus}"
rights = ["metrics"]
"""
# There is neither a profile nor an overload here. Their families are told all the same.
NOT_DRIVEN = {"tritonkit_drift_events_total", "tritonkit_limit_shed_total"}
NAME = re.compile(r"\b((?:tritonkit|nv)_\w+|up)\b(?:\{([^}]*)\})?")
BY = re.compile(r"\b(?:by|on) ?\(([^)]*)\)")


@dataclass(frozen=True)
class Scraped:
    """A Prometheus, and the gateway that it scrapes."""

    url: str
    gateway: str

    def ask(self, path: str, **parameters: str) -> Any:
        query = f"?{urlencode(parameters)}" if parameters else ""
        with urlopen(f"{self.url}/api/v1/{path}{query}", timeout=10) as answer:
            document = json.load(answer)
        assert document["status"] == "success"
        return document["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        return list(self.ask("query", query=expr)["result"])


def infer(url: str, row: list[float], token: str = TOKENS["app"]) -> int:
    """The status of a question for the model "keeps"."""
    return ask(url, "keeps", {"x": ("FP32", row)}, token)


def fail(url: str) -> int:
    """That of one for a model that fails."""
    inputs = {"seconds": ("FP32", [0.0]), "error": ("BYTES", ["raise"])}
    return ask(url, "moody", inputs, TOKENS["app"])


def ask(url: str, model: str, inputs: dict[str, tuple[str, list[Any]]], token: str = "") -> int:
    tensors = [
        {"name": name, "datatype": datatype, "shape": [1, len(row)], "data": row}
        for name, (datatype, row) in inputs.items()
    ]
    body = json.dumps({"inputs": tensors}).encode()
    return status(f"{url}/v2/models/{model}/infer", token, body)


def metrics(url: str, token: str) -> int:
    """The status of a scrape."""
    return status(f"{url}/metrics", token)


def status(url: str, token: str, body: bytes | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urlopen(Request(url, body, headers), timeout=10) as answer:
            answer.read()
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


@contextmanager
def running(command: list[str], log: Path, ready: Callable[[], object]) -> Iterator[None]:
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
    try:
        deadline = monotonic() + PATIENCE
        while True:
            try:
                ready()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert monotonic() < deadline
                sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def running_gateway(load_from: Callable[[Path], ModuleType]) -> Any:
    return load_from(ROOT / "tests" / "gateway" / "running.py").running_gateway


@pytest.fixture(scope="module")
def scraped(
    serve_models: ServeModels,
    running_gateway: Any,
    program: Callable[[str], str],
    docker: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scraped]:
    folder = tmp_path_factory.mktemp("prometheus")
    port, gateway_port, metrics_port = choose_ports("127.0.0.1", (0, 0, 0))
    token = folder / "token"
    token.write_text(TOKENS["prometheus"])
    text = (docker / "prometheus" / "prometheus.yml").read_text()
    for given, here in (
        ("/run/secrets/metrics_token", str(token)),
        ("gateway:8080", f"127.0.0.1:{gateway_port}"),
        ("triton:8002", f"127.0.0.1:{metrics_port}"),
        ("rules/*.yaml", str(docker / "prometheus" / "rules" / "*.yaml")),
        ("interval: 15s", "interval: 1s"),
        ("timeout: 10s", "timeout: 1s"),
    ):
        assert given in text
        text = text.replace(given, here)
    (folder / "prometheus.yml").write_text(text)
    url = f"http://127.0.0.1:{port}"
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    redis = RedisServer(folder)
    # First, since it looks at its targets after five seconds only.
    with running(command, folder / "prometheus.log", lambda: urlopen(f"{url}/-/ready").close()):
        triton = serve_models(
            {"keeps": "mixer", "doubles": "mixer", "moody": "moody"},
            {"keeps": KEPT},
            metrics_port=metrics_port,
        )
        policy = POLICY.format(
            triton=triton.http,
            same=triton.http.replace("127.0.0.1", "localhost"),
            redis=redis.url,
            folder=folder,
            **TOKENS,
        )
        redis.start()
        try:
            with running_gateway(policy, "--port", str(gateway_port), folder=folder) as gateway:
                drive(gateway.url)
                made = Scraped(url, gateway.url)
                await_rates(made, gateway.url)
                yield made
        finally:
            redis.stop()


def drive(url: str) -> None:
    """Answers from Triton, from memory and from the small model; a failure, and a stranger."""
    assert infer(url, [1.0, 2.0, 3.0, 4.0]) == 200
    assert infer(url, [1.0, 2.0, 3.0, 4.0]) == 200
    assert infer(url, [1000.0] * 4) == 200
    assert infer(url, [1.0] * 4, token="nobody's") == 401
    assert fail(url) == 500
    assert metrics(url, TOKENS["app"]) == 403


def await_rates(prometheus: Scraped, url: str) -> None:
    """Until all has been scraped twice and recorded since; something new each time."""
    deadline = monotonic() + PATIENCE
    value = 0.0
    while not prometheus.query("tritonkit:hit_share:rate30m > 0") or not prometheus.query(
        "tritonkit:cost_per_success:rate1h > 0"
    ):
        assert monotonic() < deadline
        for row in ([value, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0], [1000.0 + value] * 4):
            assert infer(url, row) == 200
        infer(url, [1.0] * 4, token="")
        fail(url)
        value += 1
        sleep(0.3)


def expressions(docker: Path) -> dict[str, str]:
    """All that is asked of Prometheus, by whom."""
    found = {}
    for path in (docker / "prometheus" / "rules").glob("*.yaml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                found[rule.get("alert") or rule["record"]] = rule["expr"]
    dashboard = json.loads((docker / "grafana" / "dashboards" / "tritonkit.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            expr = target["expr"].replace("$model", ".*").replace("$__rate_interval", "1m")
            found[f"panel {panel['title']}: {target['legendFormat']}"] = expr
    adapter = yaml.safe_load((docker / "k8s" / "adapter" / "values.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    # A pod's labels come from Kubernetes.
    expr = rule["metricsQuery"].replace("<<.GroupBy>>", "instance")
    found["prometheus-adapter"] = expr.replace("<<.LabelMatchers>>", "")
    (scaled,) = yaml.safe_load_all((docker / "k8s" / "keda" / "scaledobject.yaml").read_text())
    (trigger,) = scaled["spec"]["triggers"]
    found["KEDA"] = trigger["metadata"]["query"].replace('namespace="tritonkit"', "")
    return found


def selected(expr: str) -> dict[str, set[str]]:
    """The labels that *expr* selects by, by metric."""
    found: dict[str, set[str]] = {}
    for name, selector in NAME.findall(re.sub(r'"[^"]*"', lambda m: m[0].replace("{", ""), expr)):
        found.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
    return found


def test_all_targets_are_up(scraped: Scraped) -> None:
    deadline = monotonic() + PATIENCE
    while True:
        targets = scraped.ask("targets")["activeTargets"]
        found = {(each["labels"]["job"], each["health"]) for each in targets}
        if found == {("gateway", "up"), ("triton", "up")}:
            break
        # One that had more to do than answer within a second is asked again.
        assert monotonic() < deadline, targets
        sleep(0.2)


def test_all_rules_are_computed_and_none_fires(scraped: Scraped) -> None:
    rules = [rule for group in scraped.ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 30
    for rule in rules:
        assert rule["health"] == "ok", (rule["name"], rule.get("lastError"))
        assert rule.get("state") != "firing", rule["name"]


def test_every_metric_and_label_that_is_asked_for_is_there(scraped: Scraped, docker: Path) -> None:
    labels: dict[str, set[str]] = {}
    for series in scraped.ask("series", **{"match[]": '{__name__=~"(tritonkit|nv)_.*|up"}'}):
        name = series.pop("__name__")
        labels.setdefault(name, set()).update(series)
    for each in FAMILIES:
        if each.exported in NOT_DRIVEN:
            assert each.exported not in labels
            labels[each.exported] = set(each.labels)
    told = scraped.ask("metadata")
    for who, expr in expressions(docker).items():
        grouped = {label.strip() for group in BY.findall(expr) for label in group.split(",")} - {
            "le",
            "",
        }
        asked = selected(expr)
        here: set[str] = set()
        for name, by in asked.items():
            family = re.sub(r"_(bucket|sum|count|total)$", "", name)
            assert {name, family} & set(told) or name == "up", f"{who}: {name}"
            assert name in labels, f"{who}: {name} has no series"
            assert by <= labels[name], f"{who}: {name} has {labels[name]}"
            here |= labels[name]
        if asked:
            assert grouped <= here, f"{who}: {grouped - here}"


def test_everything_that_is_asked_can_be_answered(scraped: Scraped, docker: Path) -> None:
    every = expressions(docker)
    # Alerts answer where something is wrong only.
    answered = {who for who in every if who.startswith(("panel", "prometheus-adapter", "KEDA"))}
    answered -= {who for who in answered if NOT_DRIVEN & set(selected(every[who]))}
    deadline = monotonic() + PATIENCE
    for who, expr in every.items():
        while not scraped.query(expr) and who in answered:
            # A rate needs a second scrape.
            assert monotonic() < deadline, f"{who}: nothing for {expr}"
            sleep(0.2)


def test_metrics_are_for_who_has_the_right(scraped: Scraped) -> None:
    assert metrics(scraped.gateway, "nobody's") == metrics(scraped.gateway, "") == 401
    assert metrics(scraped.gateway, TOKENS["app"]) == 403
    assert metrics(scraped.gateway, TOKENS["prometheus"]) == 200
