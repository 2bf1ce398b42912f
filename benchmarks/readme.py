"""Writes what was measured into the README, from results/: the last step of `make bench`."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

README = Path(__file__).parents[1] / "README.md"
RESULTS = Path(__file__).parent / "results"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->"
_PROTOCOLS = {"http": "HTTP", "grpc": "gRPC"}
_CONDITIONS = [
    "The machines are shared with others, so the figures move by tens of percent; the ratios are "
    "taken within one run. `make bench` prints those without a command of their own, "
    "[`benchmarks/results`](benchmarks/results) holds every round."
]


def render() -> str:
    """The README's section as Markdown."""
    precision, tiers, ensemble, wire, cache, coalesce, zipf = (
        json.loads((RESULTS / f"{name}.json").read_text())
        for name in ("precision", "tiers", "ensemble", "wire", "cache", "coalesce", "zipf")
    )
    perf_analyzer, windows = (
        json.loads((RESULTS / f"{name}.json").read_text()) for name in ("perf_analyzer", "windows")
    )
    tune, gateway, check = (RESULTS / f"{name}.json" for name in ("tune", "gateway", "check"))
    sections = (
        _zipf(zipf),
        _cache(cache),
        _coalesce(coalesce),
        _precision(precision),
        _tiers(tiers),
        _ensemble(ensemble),
        _wire(wire),
        _generator(perf_analyzer),
        _windows(windows),
        _tune(json.loads(tune.read_text())) if tune.exists() else [],
        _gateway(json.loads(gateway.read_text())) if gateway.exists() else [],
        _check(json.loads(check.read_text())) if check.exists() else [],
        _CONDITIONS,
    )
    return "\n".join(line for section in sections if section for line in [*section, ""])


def replaced(readme: str) -> str:
    """*readme* with the section as it is now."""
    head, rest = readme.split(BEGIN)
    _, tail = rest.split(END)
    return head + BEGIN + render() + END + tail


def _precision(result: dict[str, Any]) -> list[str]:
    samples = result["samples"]
    lines = [
        f"What `--precision auto` finds for {result['model']}, judged by {samples['pairs']} "
        f"searches for docstrings of the standard library, {_on(result)}:",
        "",
        "| allowed | found | bytes of fp32 | throughput of fp32 | MRR | source's MRR | same top-1 "
        "| depends on its batch |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for case in result["cases"]:
        speed = case["speed"]["times_faster"]
        batch = max(speed, key=int)
        budget = case["budget"]
        allowed = (
            f"{budget['max_loss']:.1%} of MRR lost"
            if budget["max_loss"] is not None
            else f"{budget['min_agreement']:.0%} same top-1, batch-invariant"
        )
        lines.append(
            f"| {allowed} | {case['recipe']} | {case['share_of_bytes']:.3f} "
            f"| {speed[batch]:.2f}x | {case['value']:.3f} | {case['source_value']:.3f} "
            f"| {case['agreement']:.1%} | {'no' if case['batch_invariant'] else 'yes'} |"
        )
    return [
        *lines,
        "",
        f"![Size, throughput and accuracy of each recipe for {result['model']}]"
        "(benchmarks/results/precision.svg)",
    ]


def _tiers(result: dict[str, Any]) -> list[str]:
    texts = result["texts"]
    lines = [
        f"Cheap tiers in its space, trained on {texts['training']:,} docstrings and judged by "
        f"{texts['pairs']} others, {_on(result)}; R@1 is how many searches find what they should:",
        "",
        "| | MB | faster, 16 tokens | 128 tokens | R@1, index of its own | the source's index |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, model in result["models"].items():
        lines.append(
            f"| {'source, fp32' if name == 'teacher' else name} | {model['size_bytes'] / 1e6:.1f} "
            f"| {model['times_faster_16']:.1f}x | {model['times_faster_128']:.1f}x "
            f"| {model['own_recall']:.3f} | {model['teacher_recall']:.3f} |"
        )
    return lines


def _ensemble(result: dict[str, Any]) -> list[str]:
    lines = [
        f"{result['model']} behind its tokenizer on the embedded server, against the same graph "
        f"in one process with onnxruntime and tokenizers, {_on(result)}, texts/s:",
        "",
        "| | " + " | ".join(f"{p} served | in process | ratio" for p in ("fp32", "int8")) + " |",
        "| --- |" + " ---: |" * 6,
    ]
    names = dict.fromkeys(case["name"] for case in result["cases"])
    for name in names:
        cells = []
        for precision in ("fp32", "int8"):
            (case,) = (
                c for c in result["cases"] if (c["name"], c["precision"]) == (name, precision)
            )
            limits = case["in_process_texts_per_second"]
            best = [max(pair) for pair in zip(*limits.values(), strict=True)]
            served = median(case["served_texts_per_second"])
            cells += [f"{served:.0f}", f"{median(best):.0f}", f"{case['ratio']:.2f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _wire(result: dict[str, Any]) -> list[str]:
    calls = result["calls_per_second"]
    lines = [
        "HTTP wire against tritonclient, a model that Triton answers from its cache, "
        f"{_on(result)}, calls/s:",
        "",
        "| in flight | load generator | `AsyncClient` | tritonclient.http.aio "
        "| tritonclient.grpc.aio |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for concurrency, drivers in calls.items():
        rates = [
            f"{median(drivers[d]):,.0f}" for d in ("generator", "client", "http.aio", "grpc.aio")
        ]
        lines.append(f"| {concurrency} | " + " | ".join(rates) + " |")
    ratios = {(r["concurrency"], r["driver"], r["against"]): r["median"] for r in result["ratios"]}
    most = max(int(concurrency) for concurrency in calls)
    lines += [
        "",
        f"At {most} in flight `AsyncClient` makes "
        f"{ratios[most, 'client', 'http.aio']:.1f} times the calls of tritonclient.http.aio and "
        f"{ratios[most, 'client', 'grpc.aio']:.1f} times those of tritonclient.grpc.aio, "
        f"the load generator {ratios[most, 'generator', 'http.aio']:.1f} and "
        f"{ratios[most, 'generator', 'grpc.aio']:.1f} times (medians of ratios taken in one run).",
    ]
    return lines


def _zipf(result: dict[str, Any]) -> list[str]:
    without, cached = result["without"], result["cached"]
    lines = [
        f"{cached['requests']:,} requests of one text each, drawn by Zipf's law (s = "
        f"{result['s']:g}) from {result['keys']:,}, embedded by all-MiniLM-L6-v2 in int8, "
        f"{result['callers']} callers, {_on(result)}:",
        "",
        "| | requests/s | p50 ms | p95 ms | p99 ms | model seconds for 1,000 requests |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, one in (("bare server", without), ("`Cache` and `Coalesce`", cached)):
        latencies = " | ".join(f"{one[p]:.3g}" for p in ("p50_ms", "p95_ms", "p99_ms"))
        lines.append(
            f"| {name} | {one['requests_per_second']:,.0f} | {latencies} "
            f"| {1000 * one['model_seconds'] / one['requests']:.2g} |"
        )
    return [
        *lines,
        "",
        f"The cache, empty at first, spares {result['rows_avoided']:.0%} of the rows and "
        f"{result['cost_saved']:.0%} of the model's time.",
    ]


def _cache(result: dict[str, Any]) -> list[str]:
    def of(kind: str, driver: str) -> list[dict[str, Any]]:
        return [one for one in result[kind] if one["driver"] == driver]

    lines = [
        f"A hit, {result['model'].partition(', ')[2]}, {_on(result)}, microseconds (and how many "
        "times faster than a hit of Triton's own response cache, by tritonclient.http for sync "
        "callers and tritonclient.http.aio for the others):",
        "",
        "| from | 1 row | 32 rows |",
        "| --- | ---: | ---: |",
    ]
    names = {
        "memory": ("`AsyncClient`, memory", "server, http.aio"),
        "memory, guarded": (
            "`AsyncClient`, memory, below `Deadline` and `Tiers`",
            "server, http.aio",
        ),
        "memory, sync": ("`Client`, memory", "server, http"),
        "redis": ("`AsyncClient`, Redis", "server, http.aio"),
        "cashews": ("cashews, memory", "server, http.aio"),
        "aiocache": ("aiocache, memory", "server, http.aio"),
        "server, http": ("Triton's cache, tritonclient.http", "server, http"),
        "server, http.aio": ("Triton's cache, tritonclient.http.aio", "server, http.aio"),
        "server, grpc.aio": ("Triton's cache, tritonclient.grpc.aio", "server, http.aio"),
    }
    for driver, (name, rival) in names.items():
        cells = [
            f"{median(one['us']):,.0f} ({median(one['times_faster'][rival]):.1f}x)"
            for one in of("hits", driver)
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    added = [median(one["added_us"]) for one in of("misses", "full stack")]
    redis = [median(one["added_us"]) for one in of("misses", "with redis")]
    return [
        *lines,
        "",
        f"cashews and aiocache keep whole batches and neither dedupe nor check anything. "
        f"A miss takes {added[0]:.0f} us longer through `Cache` and `Coalesce` than without, "
        f"{redis[0]:.0f} us where Redis is asked on the way.",
    ]


def _coalesce(result: dict[str, Any]) -> list[str]:
    lines = [
        f"{result['callers']} callers of one row each, a small network, {_on(result)}, rows/s:",
        "",
        "| | tritonclient.http.aio | tritonclient.grpc.aio | `AsyncClient` | with `Coalesce` |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    names = {"single": "no batching on the server", "batched": "Triton's dynamic batcher"}
    for model, name in names.items():
        drivers = result["rows_per_second"][model]
        cells = [
            f"{median(drivers[d]):,.0f}" for d in ("http.aio", "grpc.aio", "client", "coalesce")
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    ratios = {(r["model"], r["driver"], r["against"]): r["median"] for r in result["ratios"]}
    return [
        *lines,
        "",
        f"Without batching on the server that is "
        f"{ratios['single', 'coalesce', 'http.aio']:.1f} and "
        f"{ratios['single', 'coalesce', 'grpc.aio']:.1f} times the rows of tritonclient.",
    ]


def _windows(result: dict[str, Any]) -> list[str]:
    lines = [
        f"What Triton's dynamic batcher gains, callers of one row each, {_on(result)}, "
        "inferences/s:",
        "",
        "| | one caller, no batching | no batching | with batching | window, callers "
        "| times one caller | times as many without |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, one in result["subjects"].items():
        best, times = one["best"], one["times"]
        window = best["settings"]["max_queue_delay"]
        cells = " | ".join(
            f"{one[which]['inferences_per_second']:,.0f}" for which in ("alone", "beside", "best")
        )
        lines.append(
            f"| {name}: {one['words']} | {cells} "
            f"| {'0' if window == '0us' else window}, {best['callers']} "
            f"| {times['one caller']:.1f}x | {times['as many callers']:.1f}x |"
        )
    return [
        *lines,
        "",
        *(f"{name}: {one['why']}.  " for name, one in result["subjects"].items()),
        "",
        "![Throughput and p99 latency by callers, a line for each batch window]"
        "(benchmarks/results/windows.svg)",
        "",
        "`make bench-windows` prints for how many callers it pays; its pages are in "
        "[`benchmarks/results`](benchmarks/results) as `windows_*.html`.",
    ]


def _check(result: dict[str, Any]) -> list[str]:
    times = ", ".join(
        f"{median(one['command_s']):.1f} s for {one['models']:,}" for one in result["points"]
    )
    return [
        f"`tritonkit check` on repositories of so many models, {_on(result)}: {times}; it grows "
        f"with their number to the power of {result['growth']:.2f} (1 is linear)."
    ]


def _generator(result: dict[str, Any]) -> list[str]:
    cells = {(c["model"], c["protocol"], c["concurrency"]): c for c in result["cells"]}
    lines = [
        "`tritonkit bench run` beside NVIDIA's perf_analyzer in the better of its two modes, a "
        f"model that Triton answers from its cache, {_on(result)}; ratios are medians of "
        "those within a round, CPU is that of the program with its start:",
        "",
        "| in flight | HTTP, requests/s | perf_analyzer | ratio | CPU a request "
        "| gRPC, requests/s | perf_analyzer | ratio | CPU a request |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for concurrency in sorted(
        {c["concurrency"] for c in result["cells"] if c["model"] == "cached"}
    ):
        columns = []
        for protocol in ("http", "grpc"):
            cell = cells["cached", protocol, concurrency]
            columns += [
                *(f"{cell[tool]['requests_per_second']:,.0f}" for tool in ("ours", "theirs")),
                *(f"{cell['ratios'][name]:.2f}x" for name in ("requests_per_second", "cpu_us")),
            ]
        lines.append(f"| {concurrency} | {' | '.join(columns)} |")
    compared = [
        f"{_PROTOCOLS[protocol]} with {concurrency} in flight p50 {cell['ratios']['p50_us']:.2f} "
        f"and p99 {cell['ratios']['p99_us']:.2f}"
        for (model, protocol, concurrency), cell in cells.items()
        if model == "compute"
    ]
    return [
        *lines,
        "",
        "Latencies of a model that takes 5 ms, as shares of what perf_analyzer reports: "
        f"{'; '.join(compared)}. `make bench-perf-analyzer` takes them.",
    ]


def _tune(result: dict[str, Any]) -> list[str]:
    lines = [
        "`tritonkit bench tune` against a full grid of windows, instances and callers, "
        f"{_on(result)}; the finalists of both were measured again in turn:",
        "",
        "| model | target | points of the grid | measurements of the search | of the grid's best |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one['model']} | {one['target']} | {one['points']} "
        f"| {one['share_of_measurements']:.0%} | {one['share_of_best']:.1%} |"
        for one in result["outcomes"]
    ]
    return [*lines, "", "`make bench-tune` takes them."]


def _gateway(result: dict[str, Any]) -> list[str]:
    lines = [
        "The gateway against asking Triton itself, a model that Triton answers from its cache, "
        f"{_on(result)}, which the load generator, Triton, Redis and the workers share:",
        "",
        "| | " + " | ".join(f"{n} in flight, requests/s | p50 us" for n in result["found"]) + " |",
        "| --- |" + " ---: |" * 2 * len(result["found"]),
    ]
    names = {
        "direct": "Triton itself",
        "forwarded": "the gateway, requests forwarded as they come",
        "no layers": "no layers",
        "all layers": "all layers, every row a miss",
        "memory": "a cache in memory, every row a hit",
        "memory x2": "the same, two workers",
        "redis": "a cache in Redis, every row a hit",
        "redis x2": "the same, two workers",
    }
    for way, name in names.items():
        cells = []
        for by_way in result["found"].values():
            cells += [
                f"{median(one[key] for one in by_way[way]):,.0f}" for key in ("rate", "p50_us")
            ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    added, two = result["added_us"]["1"], result["two_workers"]
    return [
        *lines,
        "",
        f"One request at a time takes {added['forwarded']:,.0f} us longer forwarded, "
        f"{added['no layers']:,.0f} us without layers and {added['all layers']:,.0f} us through "
        f"all of them. Two workers answer {two['memory']:.2f} times the requests of one out of "
        f"memory, {two['redis']:.2f} times out of Redis.",
    ]


def _on(result: dict[str, Any]) -> str:
    machine = result["machine"]
    return f"on {machine['cpu']}, {machine['cores']} cores"


if __name__ == "__main__":
    README.write_text(replaced(README.read_text(encoding="utf-8")), encoding="utf-8")
    print("updated README.md")
