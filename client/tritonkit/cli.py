"""
The root command: a table of commands, each imported when it is used.

`tritonkit --help` imports no area, so that it stays quick and works in a base
install. An area adds a command by a row in COMMANDS.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import Any, NamedTuple

import click

from tritonkit.errors import TritonkitError

__all__ = ["main"]


class LazyCommand(NamedTuple):
    """Where a command lives, and the line that the root help shows for it."""

    target: str
    help: str


COMMANDS = {
    "bench": LazyCommand(
        "tritonkit.bench.commands.group:bench", "Measure a served model under load."
    ),
    "cache": LazyCommand(
        "tritonkit.client.commands.cache:cache", "Look into a cache, empty it, size it, fill it."
    ),
    "calibrate": LazyCommand(
        "tritonkit.client.commands.calibrate:calibrate",
        "Find how sure a fast model must be to answer for an accurate one.",
    ),
    "check": LazyCommand(
        "tritonkit.repository.commands.check:check",
        "Find every mistake in a model repository, without a server.",
    ),
    "config": LazyCommand(
        "tritonkit.repository.commands.config.group:config",
        "Show, make, compare and convert model configurations.",
    ),
    "demo": LazyCommand(
        "tritonkit.gateway.commands.demo:demo", "Run everything on this machine, with traffic."
    ),
    "doctor": LazyCommand("tritonkit.server.cli:doctor", "Tell what this machine lacks."),
    "drift": LazyCommand(
        "tritonkit.client.commands.drift:drift", "Profile a model's traffic, and compare with it."
    ),
    "ensemble": LazyCommand(
        "tritonkit.repository.commands.ensemble:ensemble",
        "Write an ensemble of models of a repository.",
    ),
    "experiment": LazyCommand(
        "tritonkit.client.commands.experiment:experiment",
        "Tell what an experiment has shown, plan one, or end it.",
    ),
    "export": LazyCommand("tritonkit.export.cli:export", "Write a model into a repository."),
    "fit-rule": LazyCommand(
        "tritonkit.client.commands.fit_rule:fit_rule", "Learn which requests are dear."
    ),
    "gateway": LazyCommand(
        "tritonkit.gateway.commands.gateway:gateway",
        "Serve Triton's protocol with a policy's layers in front of Tritons.",
    ),
    "infer": LazyCommand("tritonkit.client.commands.infer:infer", "Send one inference request."),
    "policy": LazyCommand(
        "tritonkit.client.commands.policy:policy", "Check a policy file, or tell what it does."
    ),
    "repo": LazyCommand(
        "tritonkit.repository.commands.repo:repo",
        "Tell what a repository holds, and change which versions it serves.",
    ),
    "serve": LazyCommand("tritonkit.server.cli:serve", "Start a tritonserver on a repository."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].help) for name in sorted(COMMANDS)])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TritonkitError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("tritonkit"), prog_name="tritonkit")
def main() -> None:
    """From a model file to a measured, cached and guarded service on Triton."""
