"""A group of commands, each imported when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click

__all__ = ["LazyCommand", "LazyGroup"]


class LazyCommand(NamedTuple):
    """
    Where a command lives, and the line that its group's help shows for it.

    Args:
        target: "module:attribute".
        help: A sentence.
    """

    target: str
    help: str


class LazyGroup(click.Group):
    """
    A group whose help imports no command, so that it stays quick.

    Args:
        table: The commands by their names.
        arguments: As of `click.Group`.
        options: As of `click.Group`.
    """

    def __init__(self, *arguments: Any, table: Mapping[str, LazyCommand], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is none of this name."""
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name].target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names with the lines of the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._table[name].help) for name in sorted(self._table)])
