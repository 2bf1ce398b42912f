"""
The root command: a table of commands, each imported when it is used.

`tritonkit --help` imports no area, so that it stays quick and works in a base
install. An area adds a command by a row in COMMANDS.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import click

from tritonkit.errors import TritonkitError
from tritonkit.lazy_group import LazyCommand, LazyGroup

__all__ = ["main"]


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


class _RootGroup(LazyGroup):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TritonkitError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(
    cls=_RootGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(version("tritonkit"), prog_name="tritonkit")
def main() -> None:
    """From a model file to a measured, cached and guarded service on Triton."""
