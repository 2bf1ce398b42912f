"""
`tritonkit bench`: a table of commands, each imported when it is used.

A command is added by a row in COMMANDS.
"""

from __future__ import annotations

import click

from tritonkit.lazy_group import LazyCommand, LazyGroup

__all__ = ["bench"]

COMMANDS = {
    "capacity": LazyCommand(
        "tritonkit.bench.commands.capacity:capacity",
        "Find the highest rate that keeps a target.",
    ),
    "compare": LazyCommand(
        "tritonkit.bench.commands.compare:compare_runs",
        "Tell whether a run is better or worse than another.",
    ),
    "merge": LazyCommand(
        "tritonkit.bench.commands.merge:merge_runs",
        "Put runs of several machines together.",
    ),
    "report": LazyCommand(
        "tritonkit.bench.commands.report:report",
        "Make a page, a table or Markdown of runs.",
    ),
    "run": LazyCommand("tritonkit.bench.commands.run:run", "Measure MODEL under a load."),
    "sweep": LazyCommand(
        "tritonkit.bench.commands.sweep:sweep",
        "Measure MODEL under each combination of settings and load.",
    ),
    "tune": LazyCommand(
        "tritonkit.bench.commands.tune:tune", "Find the best settings under a target."
    ),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def bench() -> None:
    """Measure a served model under load."""
