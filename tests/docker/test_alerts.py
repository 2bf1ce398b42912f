"""Each alert fires when it should, and stays silent beside it: promtool computes it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

UP = 'up{job="gateway", instance="gateway:8080"}'
ANSWERED = 'tritonkit_requests_total{model="m", tier="", arm="", cache="model"}'
FAILED = 'tritonkit_errors_total{model="m", kind="ServerUnavailable", arm=""}'
REFUSED = 'tritonkit_errors_total{model="m", kind="InvalidInput", arm=""}'
AWAY = 'tritonkit_errors_total{{model="{}", kind="ModelUnavailable", arm=""}}'
BUCKET = 'tritonkit_latency_seconds_bucket{{model="m", tier="", arm="", cache="model", le="{}"}}'
SETTLED = 'tritonkit_budget_settled_total{quota="day", purse="live"}'
SHADOWS = 'tritonkit_budget_settled_total{quota="day", purse="shadow"}'
LIMIT = 'tritonkit_budget_limit{quota="day", window="1d"}'
HITS = 'tritonkit_row_origins_total{model="m", origin="memory"}'
COMPUTED = 'tritonkit_row_origins_total{model="m", origin="model"}'
EVENTS = 'tritonkit_store_events_total{{store="redis", event="{}"}}'
COST = 'tritonkit_cost_total{purse="live"}'
QUEUED = 'nv_inference_queue_duration_us{model="m", version="1"}'
SUCCESS = 'nv_inference_request_success{model="m", version="1"}'
UP_A = 'tritonkit_endpoint_up{endpoint="http://a"}'
UP_B = 'tritonkit_endpoint_up{endpoint="http://b"}'
FAILURE = 'nv_inference_request_failure{{model="m", version="1", reason="{}"}}'


class Case(NamedTuple):
    """
    A course of series, and what is to be seen at its end.

    "0+60x10" are eleven samples, each sixty more than the one before.
    """

    alert: str
    series: dict[str, str]
    at: str
    fires: dict[str, str] | None
    every: str = "1m"


MODEL = {"model": "m"}
CASES = [
    Case("GatewayDown", {UP: "1 0 0 0"}, "3m", {"job": "gateway", "instance": "gateway:8080"}),
    Case("GatewayDown", {UP: "1 1 0 1"}, "3m", None),
    Case("GatewayGone", {ANSWERED: "0x10"}, "10m", {"job": "gateway"}),
    Case("GatewayGone", {UP: "0x10"}, "10m", None),
    Case("NothingAnswered", {ANSWERED: "9x10", "tritonkit_in_flight": "3x10"}, "10m", {}),
    Case("NothingAnswered", {ANSWERED: "0+1x10", "tritonkit_in_flight": "3x10"}, "10m", None),
    Case("NothingAnswered", {ANSWERED: "9x10", "tritonkit_in_flight": "0x10"}, "10m", None),
    Case("ErrorShareHigh", {ANSWERED: "0+90x15", FAILED: "0+10x15"}, "15m", {}),
    Case("ErrorShareHigh", {ANSWERED: "0+96x15", FAILED: "0+4x15"}, "15m", None),
    Case("ErrorShareHigh", {ANSWERED: "0+50x15", REFUSED: "0+50x15"}, "15m", None),
    Case("ErrorBudgetBurnsFast", {ANSWERED: "0+92x70", FAILED: "0+8x70"}, "70m", {}),
    Case("ErrorBudgetBurnsFast", {ANSWERED: "0+93x70", FAILED: "0+7x70"}, "70m", None),
    # The short window ends it, though the hour is still bad.
    Case(
        "ErrorBudgetBurnsFast",
        {ANSWERED: "0+80x70", FAILED: "0+20x60 1200x10"},
        "70m",
        None,
    ),
    # The long window keeps a short burst silent.
    Case("ErrorBudgetBurnsFast", {ANSWERED: "0+80x70", FAILED: "0x66 20+20x3"}, "70m", None),
    # One call fails, and nobody else asks; where all of a few do, somebody is woken.
    Case("ErrorBudgetBurnsFast", {ANSWERED: "5x70", FAILED: "0x66 1x4"}, "69m", None),
    Case("ErrorBudgetBurnsFast", {ANSWERED: "5x70", FAILED: "0x40 0+1x30"}, "70m", {}),
    Case("ErrorBudgetBurns", {ANSWERED: "5x40", FAILED: "0x37 1x3"}, "400m", None, "10m"),
    Case("ErrorBudgetBurns", {ANSWERED: "0+96x40", FAILED: "0+4x40"}, "400m", {}, "10m"),
    Case("ErrorBudgetBurns", {ANSWERED: "0+98x40", FAILED: "0+2x40"}, "400m", None, "10m"),
    Case(
        "LatencyHigh",
        {BUCKET.format("0.5"): "0+98x20", BUCKET.format("1"): "0+100x20",
         BUCKET.format("+Inf"): "0+100x20"},
        "20m",
        MODEL,
    ),
    Case(
        "LatencyHigh",
        {BUCKET.format("0.5"): "0+100x20", BUCKET.format("1"): "0+100x20",
         BUCKET.format("+Inf"): "0+100x20"},
        "20m",
        None,
    ),
    Case("BreakerOpen", {'tritonkit_breaker_circuits{model="m", state="open"}': "0 1 1 1"}, "3m",
         MODEL),
    Case("BreakerOpen", {'tritonkit_breaker_circuits{model="m", state="closed"}': "1x3"}, "3m",
         None),
    Case("BudgetNearlySpent", {SETTLED: "0+100x10", LIMIT: "1000x10"}, "100m", {"quota": "day"},
         "10m"),
    Case("BudgetNearlySpent", {SETTLED: "0+80x10", LIMIT: "1000x10"}, "100m", None, "10m"),
    Case("BudgetNearlySpent", {SHADOWS: "0+100x10", LIMIT: "1000x10"}, "100m", None, "10m"),
    Case("BudgetLost", {'tritonkit_budget_events_total{event="lost"}': "0+1x10"}, "10m", {}),
    Case("BudgetLost", {'tritonkit_budget_events_total{event="denied"}': "0+1x10"}, "10m", None),
    Case("CallsShed", {'tritonkit_limit_shed_total{model="m"}': "0+1x15"}, "15m", MODEL),
    Case("CallsShed", {'tritonkit_limit_shed_total{model="m"}': "7x15"}, "15m", None),
    Case(
        "CacheHitShareFell",
        {ANSWERED: "0+1000x150", HITS: "0+800x144 115200+200x6", COMPUTED: "0+200x144 28800+800x6"},
        "1500m",
        {},
        "10m",
    ),
    Case(
        "CacheHitShareFell",
        {ANSWERED: "0+1000x150", HITS: "0+800x144 115200+600x6", COMPUTED: "0+200x144 28800+400x6"},
        "1500m",
        None,
        "10m",
    ),
    Case(
        "RedisAway",
        {EVENTS.format("errors"): "0+5x10", EVENTS.format("written"): "40x10"},
        "10m",
        {"store": "redis"},
    ),
    # A slow answer now and then is no failure.
    Case(
        "RedisAway",
        {EVENTS.format("timeouts"): "0+5x10", EVENTS.format("hits"): "0+40x10"},
        "10m",
        None,
    ),
    Case("ModelAway", {ANSWERED: "0+5x10 50x10", AWAY.format("m"): "0x10 0+3x10"}, "20m", MODEL),
    Case("ModelAway", {ANSWERED: "0+5x20", AWAY.format("ghost"): "0+3x20"}, "20m", None),
    Case("DriftAlert", {'tritonkit_drift_events_total{event="page"}': "0 0 1 1"}, "3m", {}),
    Case("DriftAlert", {'tritonkit_drift_events_total{event="ticket"}': "0 0 1 1"}, "3m", None),
    Case("TokenSpike", {'tritonkit_token_spikes_total{scope="user"}': "0 0 1 1"}, "3m",
         {"scope": "user"}),
    Case("TokenSpike", {'tritonkit_token_spikes_total{scope="user"}': "4 4 4 4"}, "3m", None),
    Case(
        "CostPerSuccessRose",
        {ANSWERED: "0+1000x156", COST: "0+1000x144 144000+2000x12"},
        "1560m",
        {},
        "10m",
    ),
    Case(
        "CostPerSuccessRose",
        {ANSWERED: "0+1000x144 144000+2000x12", COST: "0+1000x144 144000+2000x12"},
        "1560m",
        None,
        "10m",
    ),
    Case(
        "TritonDown",
        {'up{job="triton", instance="triton:8002"}': "1 0 0 0"},
        "3m",
        {"job": "triton", "instance": "triton:8002"},
    ),
    Case("TritonDown", {UP: "0x3"}, "3m", None),
    Case("NoEndpoint", {UP_A: "1 0 0 0", UP_B: "0x3"}, "3m", {}),
    Case("NoEndpoint", {UP_A: "1 0 0 0", UP_B: "1x3"}, "3m", None),
    Case("EndpointOut", {UP_A: "1 0 0 0 0"}, "4m",
         {"endpoint": "http://a"}),
    Case("EndpointOut", {UP_A: "1x4"}, "4m", None),
    Case("QueueTimeHigh", {QUEUED: "0+6000000x15", SUCCESS: "0+100x15"}, "15m", MODEL),
    Case("QueueTimeHigh", {QUEUED: "0+4000000x15", SUCCESS: "0+100x15"}, "15m", None),
    Case(
        "TritonFails",
        {FAILURE.format("BACKEND"): "0+10x15", SUCCESS: "0+90x15"},
        "15m",
        MODEL,
    ),
    Case(
        "TritonFails",
        {FAILURE.format("CANCELED"): "0+10x15", SUCCESS: "0+90x15"},
        "15m",
        None,
    ),
]  # fmt: skip


def expected(rule: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    """The alert with its annotations, as Prometheus fills them in."""

    def filled(text: str) -> str:
        return re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)

    told = {name: filled(text) for name, text in rule["annotations"].items()}
    return {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": told}


@pytest.fixture(scope="module")
def promtool(docker: Path, program: Callable[[str], str], tmp_path_factory: Any) -> Any:
    """Computes tests of rules."""

    def computed(tests: list[dict[str, Any]], every: str = "1m") -> None:
        rules = sorted(map(str, (docker / "prometheus" / "rules").glob("*.yaml")))
        groups = [
            group["name"]
            for each in rules
            for group in yaml.safe_load(Path(each).read_text())["groups"]
        ]
        document = {
            "rule_files": rules,
            "evaluation_interval": every,
            # What is recorded is five minutes old at most where an alert reads it.
            "group_eval_order": sorted(groups, key="tritonkit_recorded".__ne__),
            "tests": tests,
        }
        path = tmp_path_factory.mktemp("rules") / "tests.yaml"
        path.write_text(yaml.safe_dump(document))
        # It computes for seconds and ends: a quarter of that is the collection of garbage.
        done = subprocess.run(
            [program("promtool"), "test", "rules", str(path)],
            env={**os.environ, "GOGC": "400"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return computed


@pytest.mark.parametrize("every", ["1m", "10m"])
def test_each_alert_fires_and_stays_silent(
    promtool: Any, alerts: dict[str, Any], every: str
) -> None:
    tests = [
        {
            "interval": every,
            "input_series": [{"series": name, "values": of} for name, of in case.series.items()],
            "alert_rule_test": [
                {
                    "eval_time": case.at,
                    "alertname": case.alert,
                    "exp_alerts": []
                    if case.fires is None
                    else [expected(alerts[case.alert], case.fires)],
                }
            ],
        }
        for case in CASES
        if case.every == every
    ]
    promtool(tests, every)


def test_a_night_without_a_call_is_silent(promtool: Any, alerts: dict[str, Any]) -> None:
    """
    Counters that stand still make 0 / 0 of every share, and series that nobody has written yet
    make nothing: neither is an alert. The one that tells of no gateway fires without one.
    """
    names = {name for case in CASES for name in case.series}
    gauges = {"tritonkit_in_flight": 0, LIMIT: 1000}
    gauges |= {name: 0 for name in names if 'state="open"' in name}
    gauges |= {name: 1 for name in names if name.startswith(("up{", "tritonkit_endpoint_up"))}
    still = {name: f"{gauges.get(name, 7)}x160" for name in names}
    silent = [{"eval_time": "1600m", "alertname": name, "exp_alerts": []} for name in alerts]
    nobody = [
        {**each, "exp_alerts": [expected(alerts["GatewayGone"], {"job": "gateway"})]}
        if each["alertname"] == "GatewayGone"
        else each
        for each in silent
    ]
    tests = [
        {
            "interval": "10m",
            "input_series": [{"series": name, "values": of} for name, of in series.items()],
            "alert_rule_test": expectation,
        }
        for series, expectation in ((still, silent), ({}, nobody))
    ]
    promtool(tests, "10m")


def test_no_alert_is_untested(alerts: dict[str, Any]) -> None:
    for fires in (True, False):
        told = {case.alert for case in CASES if (case.fires is not None) is fires}
        assert told == set(alerts)


def test_each_alert_says_what_is_wrong_and_how_much_it_hurries(alerts: dict[str, Any]) -> None:
    for rule in alerts.values():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert "{{ $value" not in str(rule["annotations"])


@pytest.mark.parametrize("what", ["config", "rules"])
def test_promtool_finds_nothing(
    docker: Path, program: Callable[[str], str], tmp_path: Path, what: str
) -> None:
    config = (docker / "prometheus" / "prometheus.yml").read_text()
    token = tmp_path / "token"
    token.write_text("secret")
    rules = docker / "prometheus" / "rules"
    path = tmp_path / "prometheus.yml"
    path.write_text(
        config.replace("/run/secrets/metrics_token", str(token)).replace("rules/*", f"{rules}/*")
    )
    files = [str(path)] if what == "config" else sorted(map(str, rules.glob("*.yaml")))

    done = subprocess.run(
        [program("promtool"), "check", what, *files], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout
