"""Writes cli.md, the help of every command, beside this file: `make fix` runs it."""

from __future__ import annotations

from pathlib import Path

import click

from tritonkit.cli import COMMANDS, main

PAGE = Path(__file__).with_name("cli.md")
WIDTH = 100


def render() -> str:
    """The page."""
    parts = ["# Command line\n\nMade from `--help` by `make fix`; a test holds it to the code.\n"]
    root = _context(main, "tritonkit")
    parts += _command(main, root)
    for name in sorted(COMMANDS):
        parts += _tree(main, root, name)
    return "\n".join(parts)


def _tree(group: click.Group, parent: click.Context, name: str) -> list[str]:
    command = group.get_command(parent, name)
    assert command is not None
    context = _context(command, name, parent)
    parts = _command(command, context)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            parts += _tree(command, context, child)
    return parts


def _context(
    command: click.Command, name: str, parent: click.Context | None = None
) -> click.Context:
    settings = {**command.context_settings, "terminal_width": WIDTH}
    return click.Context(command, info_name=name, parent=parent, **settings)


def _command(command: click.Command, context: click.Context) -> list[str]:
    return [f"## {context.command_path}\n", f"```text\n{command.get_help(context)}\n```\n"]


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
