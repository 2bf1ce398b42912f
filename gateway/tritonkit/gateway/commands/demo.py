"""`tritonkit demo`."""

from __future__ import annotations

from pathlib import Path

import click

from tritonkit.extras import require
from tritonkit.options import DURATION, SHARE

__all__ = ["demo"]


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option(
    "--repository",
    type=click.Path(file_okay=False, path_type=Path),
    default="model_repository",
    help="Where the models are; they are exported there if they are not.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=0,
    help="Of the gateway and its page, at 127.0.0.1; 0 for any free one.",
)
@click.option("--servers", type=click.IntRange(1, 16), default=1, help="Tritons.")
@click.option("--workers", type=click.IntRange(1, 16), default=1, help="Of the gateway.")
@click.option("--redis/--no-redis", default=True, help="Start one, where there is a redis-server.")
@click.option("--rate", type=float, default=20.0, help="Requests a second.")
@click.option("--skew", type=float, default=1.0, help="Zipf's exponent; 0 asks all texts alike.")
@click.option("--burst", type=float, default=5.0, help="What a burst multiplies the rate by.")
@click.option("--batch", type=SHARE, default="5%", help="Requests that carry several texts.")
@click.option("--rows", type=int, default=8, help="Texts of such a request.")
@click.option("--seed", type=int, default=0, help="Of the traffic.")
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so many.")
@click.option("--interval", type=DURATION, metavar="DURATION", default="5s", help="Of the lines.")
def demo(
    repository: Path,
    port: int,
    servers: int,
    workers: int,
    redis: bool,
    rate: float,
    skew: float,
    burst: float,
    batch: float,
    rows: int,
    seed: int,
    seconds: float | None,
    interval: float,
) -> None:
    """
    Run everything on this machine: Triton, Redis, gateway, live page and traffic.

    Needs no container and no GPU. A small embedding model is exported in two
    precisions, which takes a minute the first time. Keys steer the traffic and
    switch faults on; the page shows what becomes of it. Nothing is left running.
    """
    # Before a minute of export.
    require("httptools", extra="demo")
    from tritonkit.gateway.demo.demo import Demo
    from tritonkit.gateway.demo.traffic import Flow

    Demo(
        repository=repository,
        port=port,
        servers=servers,
        workers=workers,
        redis=redis,
        seconds=seconds,
        interval=interval,
        flow=Flow(rate=rate, skew=skew, burst=burst, batch=batch, rows=rows),
        seed=seed,
        say=click.echo,
    ).run()
