"""One line on a terminal that says how far a command is."""

from __future__ import annotations

import sys

import click

__all__ = ["show"]


def show(line: str) -> None:
    """Put *line* in place of the last one; silent where standard error is no terminal."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", nl=False, err=True)
