"""
`tritonkit bench`: a table of commands, each imported when it is used.

A command is added by a row in COMMANDS.
"""

from __future__ import annotations

import importlib

import click

__all__ = ["bench"]

COMMANDS = {
    "capacity": (
        "tritonkit.bench.commands.capacity:capacity",
        "Find the highest rate that keeps a target.",
    ),
    "compare": (
        "tritonkit.bench.commands.compare:compare_runs",
        "Tell whether a run is better or worse than another.",
    ),
    "merge": (
        "tritonkit.bench.commands.merge:merge_runs",
        "Put runs of several machines together.",
    ),
    "report": (
        "tritonkit.bench.commands.report:report",
        "Make a page, a table or Markdown of runs.",
    ),
    "run": ("tritonkit.bench.commands.run:run", "Measure MODEL under a load."),
    "sweep": (
        "tritonkit.bench.commands.sweep:sweep",
        "Measure MODEL under each combination of settings and load.",
    ),
    "tune": ("tritonkit.bench.commands.tune:tune", "Find the best settings under a target."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=_LazyGroup)
def bench() -> None:
    """Measure a served model under load."""
