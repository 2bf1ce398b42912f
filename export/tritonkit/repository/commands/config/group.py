"""
`tritonkit config`: a table of commands, each imported when it is used.

A command is added by a row in COMMANDS.
"""

from __future__ import annotations

import click

from tritonkit.lazy_group import LazyCommand, LazyGroup

__all__ = ["config"]

COMMANDS = {
    "convert": LazyCommand(
        "tritonkit.repository.commands.config.convert:convert",
        "Turn a running server's JSON into config.pbtxt, or back.",
    ),
    "diff": LazyCommand(
        "tritonkit.repository.commands.config.diff:diff",
        "Tell in what two configurations differ.",
    ),
    "graph": LazyCommand(
        "tritonkit.repository.commands.config.graph:graph",
        "Draw an ensemble, or a model with its tensors.",
    ),
    "init": LazyCommand(
        "tritonkit.repository.commands.config.init:init",
        "Draft the config.pbtxt of an ONNX model from its graph.",
    ),
    "show": LazyCommand(
        "tritonkit.repository.commands.config.show:show",
        "Tell what Triton runs a model with, and which values it fills in.",
    ),
}


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
def config() -> None:
    """Show, make, compare and convert model configurations."""
