"""Options of the commands that search: how each of their measurements is taken."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tritonkit.options import DURATION

__all__ = ["search_options"]

_OPTIONS = (
    click.option(
        "--batch-size",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Rows of a request.",
    ),
    click.option(
        "--warmup", type=DURATION, default="1s", show_default=True, help="Load before each window."
    ),
    click.option(
        "--processes",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="That send, where one core is not enough.",
    ),
    click.option(
        "--timeout", type=DURATION, default="60s", show_default=True, help="When a request fails."
    ),
    click.option(
        "--metrics",
        metavar="URL",
        help="The server's Prometheus metrics, or off.  [default: looked for]",
    ),
    click.option(
        "--output", type=click.Path(path_type=Path), help="Write every measurement there."
    ),
)


def search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --batch-size, --warmup, --processes, --timeout, --metrics and --output."""
    return functools.reduce(lambda found, option: option(found), reversed(_OPTIONS), command)
