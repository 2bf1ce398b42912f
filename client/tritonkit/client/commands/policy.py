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
@click.pass_context
def check(context: click.Context, file: str, as_json: bool) -> None:
    """
    Tell everything that is wrong with FILE, with line and key.

    Asks no server. Exits with 0 where nothing is wrong, 1 where something is, 2
    where the file cannot be read.

        tritonkit policy check serving.toml
    """
    findings: list[Finding] = []
    unreadable = ""
    try:
        load_policy(file)
    except PolicyError as error:
        findings = [finding for finding in error.findings if isinstance(finding, Finding)]
    except ConfigError as error:
        unreadable = str(error)
    if as_json:
        found = {"file": file, "findings": [asdict(finding) for finding in findings]}
        if unreadable:
            found["error"] = unreadable
        click.echo(json.dumps(found, ensure_ascii=False))
    elif unreadable:
        click.echo(f"Error: {unreadable}", err=True)
    elif findings:
        for finding in findings:
            place = f"{file}:{finding.line}" if finding.line else file
            key = f"{finding.key}: " if finding.key else ""
            click.echo(f"{place}: {key}{finding.message}")
    else:
        click.echo(f"{file}: nothing is wrong.")
    context.exit(2 if unreadable else 1 if findings else 0)


@policy.command()
@click.argument("file", type=click.Path())
def explain(file: str) -> None:
    """
    Tell what FILE does: its stack, and what becomes of a request in each case.

        tritonkit policy explain serving.toml
    """
    click.echo(explained(load_policy(file)))
