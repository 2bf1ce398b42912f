"""`tritonkit check`: every mistake in a model repository, found before a server starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from tritonkit.errors import RepositoryError
from tritonkit.options import DURATION
from tritonkit.repository.check import check as checking
from tritonkit.repository.check.choice import chosen_rules, find_rule
from tritonkit.repository.check.environment import packages_of
from tritonkit.repository.check.explain import explain
from tritonkit.repository.check.fix.rounds import fix, repairs
from tritonkit.repository.check.release import EMBEDDED, Release
from tritonkit.repository.check.report.as_github import as_github
from tritonkit.repository.check.report.as_json import as_json
from tritonkit.repository.check.report.as_sarif import as_sarif
from tritonkit.repository.check.report.as_text import as_text
from tritonkit.repository.check.report.paths import from_here
from tritonkit.repository.check.report.report import Report
from tritonkit.repository.check.target import Target

__all__ = ["check"]

_FORMATS: Mapping[str, Callable[..., str]] = MappingProxyType(
    {"text": as_text, "json": as_json, "sarif": as_sarif, "github": as_github}
)
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _explain(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None and not context.resilient_parsing:
        rule = find_rule(value)
        click.echo(f"{explain(rule)}\n\n{rule.page}")
        context.exit()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--model", "models", multiple=True, metavar="NAME", help="Check this one only.")
@click.option(
    "--strict", is_flag=True, help="A warning is wrong as well: exit with 1 where there is one."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice([*_FORMATS]),
    default="text",
    show_default=True,
    help="github: annotations of an Actions run.",
)
@click.option(
    "--verbose",
    "-v",
    is_flag=True,
    help="Tell each finding in full, also where many are alike. Other formats always do.",
)
@click.option("--select", multiple=True, metavar="RULE,...", help="Ask these rules only.")
@click.option("--ignore", multiple=True, metavar="RULE,...", help="Do not ask these rules.")
@click.option(
    "--fix", "fixing", is_flag=True, help="Repair what has one right answer, then check again."
)
@click.option(
    "--diff", is_flag=True, help="Show what --fix changes; without it, nothing is written."
)
@click.option(
    "--explain",
    metavar="RULE",
    callback=_explain,
    expose_value=False,
    is_eager=True,
    help="Say what a rule is about, and check nothing.",
)
@click.option(
    "--also",
    "others",
    type=_FOLDER,
    multiple=True,
    metavar="REPOSITORY",
    help="Another repository of the same server. Repeat it for several.",
)
@click.option(
    "--triton-version",
    "release",
    metavar="VERSION",
    default=str(EMBEDDED),
    show_default=True,
    help="The server's container, or its own version such as 2.51.0.",
)
@click.option("--gpus", type=click.IntRange(0), metavar="N", help="How many GPUs it sees.")
@click.option("--cores", type=click.IntRange(1), metavar="N", help="How many cores it has.")
@click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME",
    help="A backend that it has, instead of those of NVIDIA's container. Repeat it for several.",
)
@click.option("--cache/--no-cache", default=None, help="Whether it is started with --cache-config.")
@click.option(
    "--auto-complete/--no-auto-complete",
    default=True,
    help="Whether it completes configurations, which is its default.",
)
@click.option(
    "--model-config-name", metavar="NAME", default="", help="What it is started with, if any."
)
@click.option(
    "--latency-target", type=DURATION, metavar="DURATION", help="What an answer may take: 50ms."
)
@click.option(
    "--python",
    type=_FOLDER,
    metavar="PREFIX",
    help="The environment of its Python models, such as a venv: their imports are sought in it.",
)
@click.pass_context
def check(context: click.Context, /, path: Path | None, **options: Any) -> None:
    """
    Find every mistake in PATH before a server is started on it.

    PATH is a model repository, a model's directory or a config.pbtxt; by default
    model_repository, where it is, or else the current folder. No server is asked, no model is
    loaded and no code of one is run.

    Exits with 0 where nothing is wrong, 1 where something is, 2 where PATH cannot be checked.
    "# tritonkit: ignore TK071" in a configuration, on a line or above it, leaves a finding.

        tritonkit check model_repository --strict
    """
    default = Path("model_repository")
    target = _target(options)
    chosen = options["select"] or options["ignore"]
    rules = chosen_rules(options["select"], options["ignore"]) if chosen else None

    def look(texts: Mapping[Path, bytes]) -> Report:
        return checking.check(
            path or (default if default.is_dir() else Path()),
            models=options["models"],
            target=target,
            repositories=options["others"],
            rules=rules,
            texts=texts,
        )

    format_, strict = options["format_"], options["strict"]

    def show(difference: str) -> None:
        _say(difference, err=format_ != "text", nl=False)

    if options["fixing"]:
        fixed = fix(look, show=show if options["diff"] else None)
        report = fixed.report
        for written in fixed.written:
            _say(f"Fixed {from_here(written)}", err=True)
        left = fixed.left
    elif options["diff"]:
        report, plan = repairs(look)
        show(plan.diff())
        left = plan.left
    else:
        report, left = look({}), ()
    for sentence in left:
        _say(f"Left {sentence}", err=True)
    _say(_FORMATS[format_](report, strict=strict, **_shape(format_, options)))
    context.exit(0 if report.ok(strict) else 1)


def _say(text: str, *, err: bool = False, nl: bool = True) -> None:
    # Names of files may hold bytes that are no text.
    plain = text.encode("utf-8", "backslashreplace").decode()
    click.echo(plain, err=err, nl=nl, color=False if os.environ.get("NO_COLOR") else None)


def _shape(format_: str, options: dict[str, Any]) -> dict[str, int | bool]:
    if format_ != "text":
        return {}
    columns = shutil.get_terminal_size((100, 24)).columns
    return {"width": min(max(columns, 60), 120), "verbose": options["verbose"]}


def _target(options: dict[str, Any]) -> Target:
    prefix = options["python"]
    if prefix is not None and not packages_of(prefix):
        raise RepositoryError(
            f"{prefix} is no Python environment: it holds no lib/python3.*/site-packages."
        )
    return Target(
        release=Release.parse(options["release"]),
        backends=frozenset(options["backends"]) or None,
        gpus=options["gpus"],
        cores=options["cores"],
        cache=options["cache"],
        autocomplete=options["auto_complete"],
        config_name=options["model_config_name"],
        latency=options["latency_target"],
        python=prefix,
    )
