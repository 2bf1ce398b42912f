"""
A day of 100 million requests, simulated on measured service times: what grows, and how far.

Of the requests 85 % are for a catalogue of popular texts, 12 % for texts that nobody asked
for before, and 3 % are hard: the shares of benchmarks/paths.py. Hard ones go to the accurate
model, all others to the fast one where there are tiers. The day is not run but computed, from
times that other benchmarks of this folder measured on two cores; see scale_times.py,
scale_keys.py and scale_day.py for what is taken from where.

Writes results/scale.json and the tables of docs/guides/scale.md.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from scale_day import Day, Fleet, Load, Outage, Outcome, simulate
from scale_keys import Popularity
from scale_times import Times, measured

from tritonkit.bench.report.json import write
from tritonkit.errors import ConfigError, TritonkitError

RESULTS = Path(__file__).parent / "results"
RESULT = RESULTS / "scale.json"
PAGE = Path(__file__).parents[1] / "docs" / "guides" / "scale.md"
POPULAR, NEW, HARD = 0.85, 0.12, 0.03
KEYS, S, TTL = 10_000_000, 1.0, 86_400.0
KEPT = 8 * TTL
"""Seconds that an entry is kept: `stale_if_error` beyond its ttl, for when Triton fails."""
MEMORY, WORKERS = 256e6, 2
"""Of a gateway's worker, and workers of a gateway; as docker/k8s/base has them."""
GATEWAY_CORES, GATEWAY_USE = 2, 0.6
REDIS_BYTES, REDIS_USE, REDIS_LEAST = 3e9, 0.5, 3
"""Of a primary, the share of its time that may be taken, and how few primaries a cluster has."""
NOON = 16 * 3600.0
"""When most is asked."""
QUANTILES = (0.5, 0.95, 0.99)
TITLES = {
    "ways": "A day, by how it is served",
    "sizes": "By the size of Redis",
    "popularities": "By how popular the popular texts are",
    "loads": "By requests a day",
    "weights": "Core hours of a day, by how heavy the models are",
    "outages": "A quarter of an hour from the busiest moment on",
    "against": "The formulas beside what was measured",
}


def hits(
    popularity: Popularity, rate: float, gigabytes: float, gateways: int
) -> tuple[float, float]:
    """
    Shares of all requests that memory and Redis answer, at the mean *rate* of a day.

    Texts that come once are kept like all others, and take room from them. Redis is asked for
    what a worker's memory has not.
    """
    entry = measured(RESULTS).entry
    weights = popularity.share * popularity.keys
    all_rates = popularity.share * rate * POPULAR
    once = rate * (NEW + HARD)
    workers = gateways * WORKERS

    def held(rates: NDArray[np.float64], size: float, once: float) -> NDArray[np.float64]:
        return popularity.held(rates, size / entry, TTL, kept=KEPT, once=once)

    alone = held(all_rates / workers, MEMORY, once / workers)
    shared = held(all_rates * (1 - alone), gigabytes * 1e9, once)
    return POPULAR * float(weights @ alone), POPULAR * float(weights @ ((1 - alone) * shared))


def day(times: Times, model: float, memory: float, shared: float) -> Day:
    """What a request meets where *model* is what the easy ones take."""
    return Day(
        memory=memory,
        shared=shared,
        classes=((1 - HARD - memory - shared, model), (HARD, times.hard)),
        hit=times.hit_waits,
        shared_hit=times.hit_waits + times.shared_hit - times.hit,
        gateway=times.gateway,
    )


def gateway_work(times: Times, memory: float, shared: float) -> float:
    """Seconds of a core of gateways, for a request on average."""
    rest = 1 - memory - shared
    return memory * times.hit + shared * times.shared_hit + rest * times.gateway


def gateways_for(rate: float, work: float) -> int:
    """Pods at a rate; two at least, so that one may go."""
    return max(2, math.ceil(rate * work / GATEWAY_CORES / GATEWAY_USE))


def row(
    times: Times, load: Load, fleet: Fleet, model: float, gigabytes: float | None, seed: int,
    popularity: Popularity, gateway: bool = True,
) -> tuple[dict[str, Any], Outcome, Day]:  # fmt: skip
    """One way to serve a day. None for *gigabytes* is no cache at all."""
    mean = load.requests / 86_400
    memory = shared = 0.0
    gateways = 2 if gateway else 0
    if gigabytes is not None:
        # More gateways see less of the traffic each, which makes more of them needed.
        for _ in range(4):
            memory, shared = hits(popularity, mean, gigabytes, gateways)
            work = gateway_work(times, memory, shared)
            gateways = gateways_for(mean * load.peak, work)
    elif gateway:
        gateways = gateways_for(mean * load.peak, times.gateway)
    met = day(times, model, memory, shared)
    if not gateway:
        met = replace(met, gateway=0.0)
    done = simulate(load, met, fleet, seed=seed)
    p50, p95, p99 = done.quantiles(QUANTILES)
    redis = _redis(times, load, memory, shared, gigabytes or 0.0)
    work = gateway_work(times, memory, shared)
    gateway_hours = max(
        2 * GATEWAY_CORES * 24.0, load.requests * work / GATEWAY_USE / 3600
    ) if gateway else 0.0  # fmt: skip
    redis_hours = redis * 2 * 24.0
    found = {
        "memory_share": memory,
        "redis_share": shared,
        "pods": [int(done.pods.min()), int(done.pods.max())],
        "triton_cpu_hours": done.cpu_hours,
        "peak_cpu_hours": float(done.pods.max()) * fleet.cores * 24,
        "gateways": gateways,
        "gateway_cpu_hours": gateway_hours,
        "redis_primaries": redis,
        "redis_cpu_hours": redis_hours,
        "cpu_hours": done.cpu_hours + gateway_hours + redis_hours,
        "p50_ms": 1e3 * p50,
        "p95_ms": 1e3 * p95,
        "p99_ms": 1e3 * p99,
        "failed": done.lost,
    }
    return found, done, met


def _redis(times: Times, load: Load, memory: float, shared: float, gigabytes: float) -> int:
    """Primaries, by what is asked and by what is kept; each has a replica."""
    if not gigabytes:
        return 0
    peak = load.requests / 86_400 * load.peak
    # A look for what memory has not, and a write for what Redis has not either.
    asked = peak * ((1 - memory) + (1 - memory - shared))
    by_use = math.ceil(asked / (times.redis * REDIS_USE))
    return max(REDIS_LEAST, by_use, math.ceil(gigabytes * 1e9 / REDIS_BYTES))


def compute(load: Load, fleet: Fleet, seed: int) -> dict[str, Any]:
    """All tables."""
    times = measured(RESULTS)
    keys = Popularity.zipf(KEYS, S)
    nine = 9.0

    def of(
        model: float, gigabytes: float | None, *, load: Load = load, popularity: Popularity = keys,
        gateway: bool = True, heavier: int = 1,
    ) -> dict[str, Any]:  # fmt: skip
        taken = replace(times, hard=heavier * times.hard)
        # Of a model of a second a text nobody asks for a tail of two.
        bigger = replace(fleet, most=fleet.most * 10 * heavier, deadline=fleet.deadline * heavier)
        allowed = bigger if heavier > 1 or load.requests > 100e6 else fleet
        return row(taken, load, allowed, heavier * model, gigabytes, seed, popularity, gateway)[0]

    ways = {
        "the accurate model for all": of(times.accurate, None, gateway=False),
        "tiers": of(times.fast, None),
        "cache": of(times.accurate, nine),
        "cache and tiers": of(times.fast, nine),
        "cache, and a student as the fast tier": of(times.student, nine),
    }
    sizes = {
        f"{size:g}": of(times.fast, size)
        | {"heavy_cpu_hours": of(times.fast, size, heavier=10)["cpu_hours"]}
        for size in (0.0, 1.0, 3.0, 9.0, 18.0, 36.0)
    }
    popularities = {
        f"{count / 1e6:,.0f} million, {s}": of(
            times.fast, nine, popularity=Popularity.zipf(count, s)
        )
        for count in (1_000_000, 10_000_000, 100_000_000)
        for s in (0.8, 1.0, 1.2)
    }
    loads = {
        f"{requests:.0f}": of(times.fast, nine, load=replace(load, requests=requests))
        for requests in (1e6, 10e6, 100e6, 1000e6)
    }
    weights = {
        f"{times_heavier}": {
            "bare": of(times.accurate, None, gateway=False, heavier=times_heavier),
            "tiers": of(times.fast, None, heavier=times_heavier),
            "cache": of(times.accurate, nine, heavier=times_heavier),
            "both": of(times.fast, nine, heavier=times_heavier),
        }
        for times_heavier in (1, 10, 100)
    }
    return {
        "benchmark": "scale",
        "command": "python benchmarks/scale.py",
        "seed": seed,
        "load": asdict(load),
        "fleet": asdict(fleet),
        "keys": {"count": KEYS, "s": S, "ttl": TTL},
        "times": asdict(times),
        "against": _against(),
        "ways": ways,
        "sizes": sizes,
        "popularities": popularities,
        "loads": loads,
        "weights": weights,
        "outages": _outages(times, load, fleet, keys, nine, seed),
    }


def _outages(
    times: Times, load: Load, fleet: Fleet, keys: Popularity, gigabytes: float, seed: int
) -> list[dict[str, Any]]:
    """What happens when something goes at the busiest hour."""
    _, undisturbed, met = row(times, load, fleet, times.fast, gigabytes, seed, keys)
    rows = []
    there = int(undisturbed.pods[int(NOON / undisturbed.step)])
    most = there // 2 + 1
    for words, outages, changed in (
        ("nothing", (), fleet),
        ("a Triton dies", (Outage(NOON, 0, pods=1),), fleet),
        (f"{most} of {there} Tritons die", (Outage(NOON, 0, pods=most),), fleet),
        ("Redis is away for 10 minutes", (Outage(NOON, 600, redis=True),), fleet),
        ("the same, pods start in 3 minutes", (Outage(NOON, 600, redis=True),),
         replace(fleet, start=180.0)),
        ("the same, with processors half idle", (Outage(NOON, 600, redis=True),),
         replace(fleet, utilization=0.4)),
    ):  # fmt: skip
        done = simulate(load, met, changed, outages, seed=seed)
        end = NOON + 900
        steps = slice(int(NOON / load.step), int(end / load.step))
        asked = float(done.rates[steps].sum()) * load.step
        p95, p99 = done.quantiles((0.95, 0.99), NOON, end)
        rows.append(
            {
                "what": words,
                "pods": [int(done.pods[steps].min()), int(done.pods[steps].max())],
                "asked": asked,
                "failed": float(done.failed[steps].sum()) * load.step,
                "p95_ms": 1e3 * p95,
                "p99_ms": 1e3 * p99,
                "cpu_hours": done.cpu_hours,
            }
        )
    return rows


def _against() -> list[dict[str, Any]]:
    """The formulas beside what was measured."""
    zipf = json.loads((RESULTS / "zipf.json").read_text())
    asked = zipf["cached"]["requests"]
    found = Popularity.zipf(zipf["keys"], zipf["s"]).distinct(asked)
    rows = [{"what": "rows avoided, a cache that holds all", "measured": zipf["rows_avoided"],
             "computed": 1 - found / asked}]  # fmt: skip
    eviction = json.loads((RESULTS / "eviction.json").read_text())
    count = eviction["requests"] // 5
    for each in eviction["findings"]:
        if each["trace"] == "zipf 1.0" and each["policy"] == "LRU":
            keys = Popularity.zipf(count, 1.0)
            # Its capacity is a share of the keys that came.
            room = each["capacity"] * keys.distinct(eviction["requests"])
            share = keys.hit_share(1.0, room)
            what = f"hit share, LRU of {100 * each['capacity']:g} % of the keys"
            rows.append({"what": what, "measured": each["hit_ratio"], "computed": share})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--requests", type=float, default=100e6, help="of a day")
    parser.add_argument("--peak", type=float, default=2.5, help="in means of the day")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if arguments.seed < 0:
        raise ConfigError(f"--seed must be 0 or more, but got {arguments.seed}.")
    load = Load(requests=arguments.requests, peak=arguments.peak)
    result = compute(load, Fleet(), arguments.seed)
    write(arguments.output, result)
    console = Console(highlight=False)
    for title, (head, *lines) in tables(result).items():
        table = Table(*head, title=TITLES[title], box=SIMPLE_HEAD)
        for line in lines:
            table.add_row(*line)
        console.print(table)
    console.print(f"written to {arguments.output}")
    if arguments.output == RESULT:
        PAGE.write_text(page(PAGE.read_text(), result))


def tables(result: dict[str, Any]) -> dict[str, list[list[str]]]:
    """What is shown: a head and lines, by title."""
    return {
        "ways": [
            [
                "way",
                "from cache",
                "Tritons",
                "gateways",
                "Redis",
                "core hours",
                "of Triton",
                "p50",
                "p95",
                "p99",
            ],
            *([name, *_way(each)] for name, each in result["ways"].items()),
        ],
        "sizes": [
            ["Redis, GB", "from cache", "Tritons", "core hours", "10 times as heavy", "p95", "p99"],
            *(
                [
                    name,
                    *(_way(each)[i] for i in (0, 1, 4)),
                    f"{each['heavy_cpu_hours']:,.0f}",
                    *(_way(each)[i] for i in (7, 8)),
                ]
                for name, each in result["sizes"].items()
            ),
        ],
        "popularities": [
            ["keys, s of Zipf", "from cache", "Tritons", "core hours"],
            *(
                [name, *(_way(each)[i] for i in (0, 1, 4))]
                for name, each in result["popularities"].items()
            ),
        ],
        "loads": [
            ["requests a day", "from cache", "Tritons", "gateways", "Redis", "core hours", "p95"],
            *(
                [f"{float(name) / 1e6:,.0f} million", *(_way(each)[i] for i in (0, 1, 2, 3, 4, 7))]
                for name, each in result["loads"].items()
            ),
        ],
        "weights": [
            ["model", "the accurate one for all", "tiers", "cache", "cache and tiers"],
            *(
                [
                    f"{float(name):.0f} times as heavy" if name != "1" else "as measured",
                    *(
                        f"{found[way]['cpu_hours']:,.0f}"
                        for way in ("bare", "tiers", "cache", "both")
                    ),
                ]
                for name, found in result["weights"].items()
            ),
        ],
        "outages": [
            ["what happens", "Tritons", "requests that fail", "p95", "p99"],
            *(
                [
                    each["what"],
                    _range(each["pods"]),
                    f"{each['failed']:,.0f} of {each['asked'] / 1e6:.1f} million",
                    _ms(each["p95_ms"]),
                    _ms(each["p99_ms"]),
                ]
                for each in result["outages"]
            ),
        ],
        "against": [
            ["what", "measured", "computed"],
            *(
                [each["what"], f"{100 * each['measured']:.1f} %", f"{100 * each['computed']:.1f} %"]
                for each in result["against"]
            ),
        ],
    }


def _way(found: dict[str, Any]) -> list[str]:
    primaries = found["redis_primaries"]
    return [
        f"{100 * (found['memory_share'] + found['redis_share']):.0f} %",
        _range(found["pods"]),
        str(found["gateways"] or "-"),
        f"{primaries} + {primaries}" if primaries else "-",
        f"{found['cpu_hours']:,.0f}",
        f"{found['triton_cpu_hours']:,.0f}",
        *(_ms(found[f"p{share}_ms"]) for share in (50, 95, 99)),
    ]


def _range(pods: list[int]) -> str:
    return str(pods[0]) if pods[0] == pods[1] else f"{pods[0]} to {pods[1]}"


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def gateway_line(times: dict[str, Any]) -> str:
    """What a gateway takes, and how that is known."""
    hit, shared, rest = (1e3 * times[name] for name in ("hit", "shared_hit", "gateway"))
    known = (
        "They were measured at one worker with 64 requests in flight (`gateway.json`), which "
        "shared two cores with Triton and its callers, so that it takes so much at most."
        if times["whole"]
        else "These are added up from its parts (`cache.json`, `layers.json`, `telemetry.json`, "
        "`load.json`), and were not measured at a gateway."
    )
    return (
        f"- **A gateway** takes {hit:.2f} ms of a core for an answer from its memory, "
        f"{shared:.1f} ms for one from Redis, {rest:.1f} ms for one that Triton computes. {known}"
    )


def page(text: str, result: dict[str, Any]) -> str:
    """*text* with its tables as they are now, each between two comments, and the gateway's line."""
    line = gateway_line(result["times"])
    text = re.sub(r"^- \*\*A gateway\*\* takes .*$", lambda _: line, text, flags=re.MULTILINE)
    for title, lines in tables(result).items():
        begin, end = f"<!-- {title}: begin -->\n", f"<!-- {title}: end -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        head, *others = ["| " + " | ".join(line) + " |" for line in lines]
        rule = "|" + " --- |" * len(lines[0])
        text = before + begin + "\n".join([head, rule, *others]) + "\n" + end + after
    return text


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
