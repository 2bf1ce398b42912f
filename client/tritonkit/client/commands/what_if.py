"""`tritonkit cache what-if`: a recorded trace, replayed against caches of other sizes."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import click

from tritonkit.client.commands.progress import show
from tritonkit.client.commands.table import table
from tritonkit.client.recordings.recorded import Recorded, read_traces
from tritonkit.client.recordings.replay import Outcome, Setting, known, replay
from tritonkit.errors import ConfigError
from tritonkit.units import format_duration, format_size, parse_duration, parse_size

__all__ = ["what_if"]

_NONE = "none"


@click.command("what-if")
@click.argument("traces", metavar="TRACE...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--memory",
    metavar="SIZES",
    default="16MB,64MB,256MB",
    show_default=True,
    help="Sizes of each process's Memory; none for no Memory.",
)
@click.option(
    "--ttl",
    metavar="DURATIONS",
    default="1h,24h,none",
    show_default=True,
    help="How long an answer is good for; none for ever.",
)
@click.option(
    "--redis", is_flag=True, help="With a Redis behind it, large enough to evict nothing."
)
@click.option(
    "--price",
    type=click.FloatRange(min=0),
    metavar="AMOUNT",
    help="Of an hour of the model's compute, in any currency: adds what is saved.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def what_if(
    traces: tuple[str, ...],
    memory: str,
    ttl: str,
    redis: bool,
    price: float | None,
    as_json: bool,
) -> None:
    """
    Tell what caches of other sizes would have saved.

    TRACE is a folder that Cache(record=KeyTrace("folder")) wrote, or a file in it:

        tritonkit cache what-if traces/ --memory 64MB,1GB --ttl 24h --price 1.20
    """
    settings = [
        Setting(memory=size or 0, ttl=lifetime, shared=redis)
        for size, lifetime in product(
            _listed(memory, parse_size, "memory"), _listed(ttl, parse_duration, "ttl")
        )
    ]
    recorded = read_traces(list(map(Path, traces)))
    if not len(recorded):
        raise ConfigError(f"{', '.join(traces)}: no row was recorded.")
    outcomes = []
    for number, setting in enumerate(settings, 1):
        show(f"replaying {len(recorded)} rows: {number} of {len(settings)}")
        outcomes.append(replay(recorded, setting))
    show("")
    click.echo(_as_json(recorded, outcomes, price) if as_json else _text(recorded, outcomes, price))


def _listed(text: str, parse: Any, name: str) -> list[Any]:
    """Quantities with commas between; None for none."""
    parts = [part.strip() for part in text.split(",")]
    return [None if part == _NONE else parse(part, name=name) for part in dict.fromkeys(parts)]


def _text(recorded: Recorded, outcomes: list[Outcome], price: float | None) -> str:
    shared = outcomes[0].setting.shared
    head = ["memory", "ttl", "hit ratio", "rows avoided", "model time saved"]
    head[3:3] = ["from memory", "from redis"] if shared else []
    head += ["cost saved"] if price is not None else []
    rows = [head]
    for outcome in outcomes:
        setting = outcome.setting
        row = [
            format_size(setting.memory) if setting.memory else _NONE,
            _NONE if setting.ttl is None else format_duration(setting.ttl),
            f"{outcome.hit_ratio:.1%}",
            str(outcome.rows_avoided),
            f"{format_duration(outcome.seconds_saved)} ({outcome.time_ratio:.1%})",
        ]
        row[3:3] = [str(outcome.memory_hits), str(outcome.shared_hits)] if shared else []
        row += [f"{outcome.saved(price):.2f}"] if price is not None else []
        rows.append(row)
    return f"{_conditions(recorded, outcomes[0])}\n\n{table(rows, right=range(len(head)))}"


def _conditions(recorded: Recorded, outcome: Outcome) -> str:
    processes = int(recorded.processes.max()) + 1
    memories = ", each with a memory of its own" if processes > 1 else ""
    lines = [
        f"{len(recorded)} rows in {format_duration(recorded.span)}, {recorded.distinct} distinct: "
        f"no cache avoids more than {1 - recorded.distinct / len(recorded):.1%}.",
        f"Models: {', '.join(recorded.names)}. Processes: {processes}{memories}.",
    ]
    if outcome.seconds:
        lines.append(f"The model's time for every row: {format_duration(outcome.seconds)}.")
    else:
        lines.append("The model's time is not known: no row was computed while this was recorded.")
    if not known(recorded.sizes, recorded).all():
        lines.append("Note: the size of some entries is not known; they count as empty.")
    if recorded.damaged:
        lines.append(f"Note: {recorded.damaged} damaged records were left out.")
    return "\n".join(lines)


def _as_json(recorded: Recorded, outcomes: list[Outcome], price: float | None) -> str:
    return json.dumps(
        {
            "rows": len(recorded),
            "distinct": recorded.distinct,
            "seconds": recorded.span,
            "models": list(recorded.names),
            "processes": int(recorded.processes.max()) + 1,
            "damaged": recorded.damaged,
            "model_seconds": outcomes[0].seconds,
            "price": price,
            "settings": [
                {
                    "memory": outcome.setting.memory,
                    "ttl": outcome.setting.ttl,
                    "redis": outcome.setting.shared,
                    "hit_ratio": outcome.hit_ratio,
                    "rows_avoided": outcome.rows_avoided,
                    "memory_hits": outcome.memory_hits,
                    "redis_hits": outcome.shared_hits,
                    "evictions": outcome.evictions,
                    "model_seconds_saved": outcome.seconds_saved,
                    "cost_saved": None if price is None else outcome.saved(price),
                }
                for outcome in outcomes
            ],
        },
        ensure_ascii=False,
        allow_nan=False,
    )
