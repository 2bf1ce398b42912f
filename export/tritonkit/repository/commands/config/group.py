"""
`tritonkit config`: a table of commands, each imported when it is used.

A command is added by a row in COMMANDS.
"""

from __future__ import annotations

import importlib

import click

__all__ = ["config"]

COMMANDS = {
    "convert": (
        "tritonkit.repository.commands.config.convert:convert",
        "Turn a running server's JSON into config.pbtxt, or back.",
    ),
    "diff": (
        "tritonkit.repository.commands.config.diff:diff",
        "Tell in what two configurations differ.",
    ),
    "graph": (
        "tritonkit.repository.commands.config.graph:graph",
        "Draw an ensemble, or a model with its tensors.",
    ),
    "init": (
        "tritonkit.repository.commands.config.init:init",
        "Draft the config.pbtxt of an ONNX model from its graph.",
    ),
    "show": (
        "tritonkit.repository.commands.config.show:show",
        "Tell what Triton runs a model with, and which values it fills in.",
    ),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def config() -> None:
    """Show, make, compare and convert model configurations."""
