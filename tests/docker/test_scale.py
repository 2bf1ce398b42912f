"""The simulation of a day: its formulas, what must hold of any day, and the page made of it."""

from __future__ import annotations

import json
import math
import shutil
import sys
import tomllib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration, parse_size

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
NAMES = ("scale_keys", "scale_times", "scale_day", "scale")


@pytest.fixture(scope="module")
def parts(load_from: Callable[[Path], ModuleType]) -> Iterator[dict[str, Any]]:
    """The modules by name, as they find each other."""
    found = {}
    for name in NAMES:
        # A dataclass looks its module up.
        sys.path.insert(0, str(BENCHMARKS))
        try:
            found[name] = __import__(name)
        finally:
            sys.path.remove(str(BENCHMARKS))
    yield found
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((BENCHMARKS / "results" / "scale.json").read_text())
    return document


def test_the_formulas_say_what_was_measured(parts: dict[str, Any]) -> None:
    """
    100,000 requests vary by less than half a point; a trace of 200,000 begins with an empty
    cache, which costs less than one.
    """
    rows = parts["scale"]._against()
    assert len(rows) == 4
    for each in rows:
        assert each["computed"] == pytest.approx(each["measured"], abs=0.01)


def test_a_gateway_that_was_measured_is_believed(parts: dict[str, Any], tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(
        BENCHMARKS / "results", results, ignore=shutil.ignore_patterns("*.svg", "*.html")
    )
    (results / "gateway.json").unlink(missing_ok=True)
    added = parts["scale_times"].measured(results)
    ways = {"all layers": 1_000.0, "memory": 8_000.0, "redis": 4_000.0}
    found = {name: [{"rate": rate * part} for part in (0.5, 1, 2)] for name, rate in ways.items()}
    (results / "gateway.json").write_text(json.dumps({"found": {"64": found}}))
    whole = parts["scale_times"].measured(results)
    assert (whole.gateway, whole.shared_hit, whole.hit) == (1e-3, 2.5e-4, 1.25e-4)
    assert whole.fast == added.fast
    line = parts["scale"].gateway_line
    assert "0.12 ms of a core for an answer from its memory, 0.2 ms" in line(vars(whole))
    assert "measured at one worker" in line(vars(whole))
    assert "not measured at a gateway" in line(vars(added))


def test_a_cache_of_all_keys_misses_none_and_of_none_all(parts: dict[str, Any]) -> None:
    keys = parts["scale_keys"].Popularity.zipf(1_000, 1.0)
    assert keys.hit_share(10.0, 1_000) == pytest.approx(1.0)
    assert keys.hit_share(10.0, 0) == 0.0
    assert keys.hit_share(0.0, 10) == 0.0
    assert keys.count == pytest.approx(1_000)
    assert float(keys.share @ keys.keys) == pytest.approx(1.0)


@given(
    count=st.integers(1, 10**7), s=st.floats(0.0, 2.0), room=st.floats(0.0, 1.0),
    ttl=st.floats(1.0, 1e6),
)  # fmt: skip
@settings(max_examples=30)
def test_more_room_and_more_time_answer_no_less(
    parts: dict[str, Any], count: int, s: float, room: float, ttl: float
) -> None:
    keys = parts["scale_keys"].Popularity.zipf(count, s)
    shares = [
        keys.hit_share(100.0, room * count, ttl),
        keys.hit_share(100.0, room * count, 2 * ttl),
        keys.hit_share(100.0, count, 2 * ttl),
    ]
    assert 0.0 <= shares[0] <= 1.0
    assert shares == sorted(shares) or np.allclose(shares, sorted(shares), atol=1e-9)


def test_texts_that_come_once_and_a_cache_before_it_cost_what_they_do_in_a_trace(
    parts: dict[str, Any],
) -> None:
    """
    Two LRU caches in a row, and a third of the requests for keys that nobody asks for again.

    Of 150,000 counted requests a share varies by 0.3 points; the formula takes the caches
    for independent, which they are not quite.
    """
    random = np.random.default_rng(3)
    popularity = parts["scale_keys"].Popularity.zipf(900, 1.0)
    asked = random.choice(900, 200_000, p=popularity.share).tolist()
    new = random.random(200_000) < 1 / 3
    caches: list[OrderedDict[int, None]] = [OrderedDict(), OrderedDict()]
    sizes, found = (50, 300), [0, 0]
    for number, key in enumerate(asked):
        key = -number - 1 if new[number] else key
        for level, (cache, size) in enumerate(zip(caches, sizes, strict=True)):
            hit = key in cache
            cache[key] = None
            cache.move_to_end(key)
            if len(cache) > size:
                cache.popitem(last=False)
            found[level] += hit and number >= 50_000
            if hit:
                break
    rates = popularity.share * 2 / 3
    alone = popularity.held(rates, 50, once=1 / 3)
    shared = popularity.held(rates * (1 - alone), 300, once=1 / 3)
    weights = rates * popularity.keys
    assert found[0] / 150_000 == pytest.approx(float(weights @ alone), abs=0.01)
    assert found[1] / 150_000 == pytest.approx(float(weights @ ((1 - alone) * shared)), abs=0.02)
    # Without them there would be room for more.
    assert float(weights @ popularity.held(rates, 50)) > float(weights @ alone) + 0.02


def test_an_answer_is_good_for_its_ttl_and_its_entry_kept_for_longer(parts: dict[str, Any]) -> None:
    keys = parts["scale_keys"].Popularity.zipf(1_000, 0.0)
    rates = keys.share * 10.0
    # Of two that come within a ttl, the second is answered, whatever room there is.
    for room in (900, 10_000):
        assert keys.held(rates, room, 100.0, kept=800.0) == pytest.approx(0.5)
    assert not keys.held(rates, 0, 100.0).any()
    assert keys.held(rates * 0.0, 10, 100.0, once=1.0).max() == 0.0


def test_the_fleet_shrinks_no_faster_than_the_autoscaler_may(parts: dict[str, Any]) -> None:
    """By a tenth in a minute, and by one at least."""
    days = parts["scale_day"]
    met = days.Day(0.5, 0.2, ((0.3, 0.01),), hit=1e-4, shared_hit=1e-3, gateway=1e-3)
    away = (days.Outage(12 * 3600.0, 1800, redis=True),)
    for requests in (1e8, 2e9):
        load = days.Load(requests=requests, ripple=0.0)
        pods = days.simulate(load, met, days.Fleet(most=1000), away, seed=0).pods
        fewer = pods[:-5] - pods[5:]
        assert fewer.max() > 0
        assert (fewer <= np.ceil(pods[:-5] * 0.1)).all()


def test_erlangs_formula(parts: dict[str, Any]) -> None:
    """One server waits as often as it is busy; two at load 1 a third of the time."""
    waits = parts["scale_day"].erlang_c(
        np.array([1.0, 2.0, 10.0, 3.0]), np.array([0.4, 1.0, 8.0, 3.5])
    )
    many = 8.0**10 / math.factorial(10) / (1 - 0.8)
    whole = sum(8.0**k / math.factorial(k) for k in range(10)) + many
    assert waits == pytest.approx([0.4, 1 / 3, many / whole, 1.0])


def test_a_day_has_its_requests_and_its_peak(parts: dict[str, Any]) -> None:
    load = parts["scale_day"].Load(requests=1e6, peak=3.0, ripple=0.0)
    rates = load.rates(np.random.default_rng(0))
    assert rates.sum() * load.step == pytest.approx(1e6)
    assert rates.max() / rates.mean() == pytest.approx(3.0, rel=1e-3)
    assert int(rates.argmax()) * load.step / 3600 == pytest.approx(16, abs=0.1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"requests": 0.0}, "requests must be a number above 0, but got 0.0"),
        ({"requests": math.nan}, "but got nan"),
        ({"peak": 0.5}, "peak must be from 1 to 1000 means, but got 0.5"),
        ({"peak": math.inf}, "but got inf"),
    ],
)
def test_a_day_that_cannot_be_is_refused(
    parts: dict[str, Any], given: dict[str, float], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        parts["scale_day"].Load(**given)


@pytest.fixture(scope="module")
def small(parts: dict[str, Any]) -> Callable[..., Any]:
    """A day in steps of a minute."""
    days = parts["scale_day"]
    met = days.Day(0.5, 0.2, ((0.3, 0.01),), hit=1e-4, shared_hit=1e-3, gateway=1e-3)

    def run(*outages: Any, requests: float = 1e8, seed: int = 0, **fleet: Any) -> Any:
        load = days.Load(requests=requests, step=60.0)
        return days.simulate(load, met, days.Fleet(**fleet), outages, seed=seed)

    return run


def test_the_same_seed_makes_the_same_day(small: Callable[..., Any]) -> None:
    one, same, other = small(), small(), small(seed=1)
    assert np.array_equal(one.latencies, same.latencies)
    assert np.array_equal(one.pods, same.pods)
    assert not np.array_equal(one.latencies, other.latencies)


def test_pods_stay_within_bounds_and_requests_within_the_deadline(
    small: Callable[..., Any], parts: dict[str, Any]
) -> None:
    away = parts["scale_day"].Outage(16 * 3600.0, 600, redis=True)
    done = small(away, requests=2e9, least=4, most=30, deadline=1.0)
    assert done.pods.min() >= 4
    assert done.pods.max() == 30
    assert (done.failed >= 0).all()
    assert (done.failed <= done.rates).all()
    assert 0 < done.lost < 2e9
    # What the work itself takes comes on top; its exponential has a tail.
    assert np.quantile(done.latencies, 0.999) < 1.0 + 20 * 0.011


def test_a_day_without_trouble_fails_nobody(small: Callable[..., Any]) -> None:
    done = small()
    assert done.lost == 0
    p50, p95 = done.quantiles((0.5, 0.95))
    assert p50 < 2e-3 < 8e-3 < p95 < 5e-2


def test_what_fails_costs_requests_or_pods(
    small: Callable[..., Any], parts: dict[str, Any]
) -> None:
    outage = parts["scale_day"].Outage
    calm = small()
    gone = small(outage(16 * 3600.0, 0, pods=2))
    away = small(outage(16 * 3600.0, 3600, redis=True))
    at = 16 * 60
    assert gone.pods[at] == calm.pods[at] - 2
    assert away.pods[at : at + 60].max() > calm.pods[at : at + 60].max()
    assert away.cpu_hours > calm.cpu_hours


def test_the_page_says_what_was_computed(parts: dict[str, Any], result: dict[str, Any]) -> None:
    page = ROOT / "docs" / "guides" / "scale.md"
    assert parts["scale"].page(page.read_text(), result) == page.read_text()
    for name in parts["scale"].tables(result):
        assert page.read_text().count(f"<!-- {name}: begin -->") == 1


def test_the_figures_between_the_tables_are_those_of_the_result(result: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "guides" / "scale.md").read_text()
    load, fleet, keys = result["load"], result["fleet"], result["keys"]
    ms = {name: 1e3 * value for name, value in result["times"].items()}
    both = result["ways"]["cache and tiers"]
    mean = load["requests"] / 86_400
    # Cores at the busiest moment, with what Redis answers and without.
    tail = 0.03 * ms["hard"]
    cores = fleet["cores"] * result["outages"][0]["pods"][0]
    busy = [
        mean * load["peak"] * ((0.97 - answered) * ms["fast"] + tail) / 1e3 / cores
        for answered in (both["memory_share"] + both["redis_share"], both["memory_share"])
    ]
    for said in (
        f"{load['requests'] / 1e6:.0f} million requests a day are {mean:,.0f} a second",
        f"some {mean * load['peak']:,.0f} at the busiest moment".replace("2,894", "2,900"),
        f"{ms['accurate']:.1f} ms of a core for a text in fp32, {ms['fast']:.1f} ms in int8, "
        f"{ms['student']:.1f} ms by a student of two layers, {ms['hard']:.0f} ms for a hard",
        f"{load['peak']} times the mean; minutes stray from that by {100 * load['ripple']:.0f} %",
        f"by Zipf's law with s = {keys['s']:.0f}; 12 % are",
        f"an entry takes {result['times']['entry']:,} bytes".replace("an entry", "its entry"),
        f"answers {result['times']['redis']:,.0f} commands a second",
        f"keeps processors {100 * fleet['utilization']:.0f} % busy and the queue under "
        f"{1e3 * fleet['queue']:.0f} ms",
        f"answers {100 * both['memory_share']:.0f} % still, and processors that were "
        f"{100 * busy[0]:.0f} % busy are {100 * busy[1]:.0f} % busy",
        f"a day as `ttl` leaves {100 * _share(result['sizes']['36']):.0f} %",
    ):
        assert said in page, said
    assert keys["count"] == 10_000_000
    for hours, least in (("cpu_hours", "0"), ("heavy_cpu_hours", "9")):
        assert min(result["sizes"], key=lambda size: result["sizes"][size][hours]) == least
    assert result["outages"][2]["what"] == "3 of 5 Tritons die"


def _share(found: dict[str, Any]) -> float:
    return float(found["memory_share"] + found["redis_share"])


def test_no_request_of_a_plain_day_fails(result: dict[str, Any]) -> None:
    for table in ("ways", "sizes", "popularities", "loads"):
        assert all(each["failed"] == 0 for each in result[table].values())


def test_the_fleet_is_that_of_the_manifests(parts: dict[str, Any]) -> None:
    base = ROOT / "docker" / "k8s" / "base"
    fleet, scale = parts["scale_day"].Fleet(), parts["scale"]
    objects = {
        (each["kind"], each["metadata"]["name"]): each["spec"]
        for name in ("triton", "gateway")
        for each in yaml.safe_load_all((base / f"{name}.yaml").read_text())
    }
    scaler = objects["HorizontalPodAutoscaler", "triton"]
    pods, cpu = (each[each["type"].lower()] for each in scaler["metrics"])
    (triton,) = objects["Deployment", "triton"]["template"]["spec"]["containers"]
    (gateway,) = objects["Deployment", "gateway"]["template"]["spec"]["containers"]
    assert fleet.cores == int(triton["resources"]["requests"]["cpu"])
    assert (fleet.least, fleet.most) == (scaler["minReplicas"], scaler["maxReplicas"])
    assert fleet.utilization * 100 == cpu["target"]["averageUtilization"]
    assert fleet.queue * 1000 == float(pods["target"]["averageValue"])
    down = scaler["behavior"]["scaleDown"]
    assert fleet.patience == down["stabilizationWindowSeconds"]
    assert fleet.down * 100 == down["policies"][0]["value"]
    up = scaler["behavior"]["scaleUp"]["policies"][0]
    assert (fleet.up - 1) * 100 == up["value"]

    policy = tomllib.loads((base / "serving.toml").read_text())
    layers = {layer["type"]: layer for layer in policy["layers"]}
    assert fleet.deadline == parse_duration(layers["deadline"]["timeout"], name="timeout")
    memory = next(each for each in layers["cache"]["stores"] if each["type"] == "memory")
    assert parse_size(memory["size"], name="size") == scale.MEMORY
    assert parse_duration(layers["cache"]["ttl"], name="ttl") == scale.TTL
    assert f"--workers={scale.WORKERS}" in gateway["args"]
    assert int(gateway["resources"]["requests"]["cpu"]) == scale.GATEWAY_CORES
    (target,) = objects["HorizontalPodAutoscaler", "gateway"]["metrics"]
    assert target["resource"]["target"]["averageUtilization"] == scale.GATEWAY_USE * 100
    redis = yaml.safe_load((base.parent / "cache" / "values.yaml").read_text())
    assert f"maxmemory {scale.REDIS_BYTES / 1e9:.0f}gb" in redis["extraConfig"]
    assert redis["replicaCount"] / (1 + redis["clusterReplicaCount"]) == scale.REDIS_LEAST
