"""`tritonkit policy`: what is wrong with a policy file, and what it does."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from tritonkit.client.policy.explain import explain as explained
from tritonkit.client.policy.findings import Finding
from tritonkit.client.policy.policy import load_policy
from tritonkit.errors import ConfigError, PolicyError

__all__ = ["policy"]


@click.group()
def policy() -> None:
    """Check a policy file, or tell what it does."""


@policy.command()
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--strict", is_flag=True, help="A warning is wrong as well.")
@click.pass_context
def check(context: click.Context, file: str, as_json: bool, strict: bool) -> None:
    """
    Tell everything that is wrong with FILE, with line and key.

    Warns of layers that do not help where they stand. Asks no server. Exits with 0
    where nothing is wrong, 1 where something is, 2 where the file cannot be read.

        tritonkit policy check serving.toml
    """
    findings: list[Finding] = []
    warnings: list[Finding] = []
    unreadable = ""
    try:
        warnings = list(load_policy(file).warnings)
    except PolicyError as error:
        findings = [finding for finding in error.findings if isinstance(finding, Finding)]
    except ConfigError as error:
        unreadable = str(error)
    if as_json:
        found: dict[str, object] = {
            "file": file,
            "findings": [asdict(finding) for finding in findings],
            "warnings": [asdict(warning) for warning in warnings],
        }
        if unreadable:
            found["error"] = unreadable
        click.echo(json.dumps(found, ensure_ascii=False))
    elif unreadable:
        click.echo(f"Error: {unreadable}", err=True)
    elif findings or warnings:
        for finding in findings:
            click.echo(_line(file, finding))
        for warning in warnings:
            click.echo(_line(file, warning, "warning: "))
    else:
        click.echo(f"{file}: nothing is wrong.")
    context.exit(2 if unreadable else 1 if findings or (strict and warnings) else 0)


def _line(file: str, finding: Finding, kind: str = "") -> str:
    place = f"{file}:{finding.line}" if finding.line else file
    key = f"{finding.key}: " if finding.key else ""
    return f"{place}: {kind}{key}{finding.message}"


@policy.command()
@click.argument("file", type=click.Path())
def explain(file: str) -> None:
    """
    Tell what FILE does: its stack, and what becomes of a request in each case.

        tritonkit policy explain serving.toml
    """
    click.echo(explained(load_policy(file)))
