"""A report as people read it on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby

import click

from tritonkit.repository.check.finding import Finding, Severity
from tritonkit.repository.check.report.excerpt import excerpt
from tritonkit.repository.check.report.paths import from_here
from tritonkit.repository.check.report.report import Report
from tritonkit.repository.check.report.summary import summary
from tritonkit.repository.shown import shown

__all__ = ["as_text"]

_COLOURS = {Severity.ERROR: "red", Severity.REQUEST: "magenta", Severity.WARNING: "yellow"}
_LABEL = 8
# How many of a kind are too many to be told in full, and how many then are.
_MANY, _FULL = 10, 3


def as_text(
    report: Report, *, strict: bool = False, width: int = 100, verbose: bool = False
) -> str:
    """
    The findings, grouped by model, and a summary.

    Where more than ten findings want the same to be done, the first three are told in full and
    the others in a line each behind the models; of such warnings, ten lines and their number.

    Args:
        report: Of a check.
        strict: Whether warnings are wrong as well.
        width: Columns of the terminal. What Triton says stays on one line, so that it
            is found again in a log and by a search.
        verbose: Whether each finding is told in full.
    """
    again = {} if verbose else _again(report)
    brief = {id(finding) for findings in again.values() for finding in findings}
    parts: list[str] = []
    for model, findings in groupby(report.findings, key=lambda finding: finding.model):
        told = [one for one in findings if id(one) not in brief]
        if told:
            parts.append(click.style(shown(model), bold=True, underline=True))
            parts += ["\n".join(_lines(finding, width)) for finding in told]
    parts += ["\n".join(_briefly(findings)) for findings in again.values()]
    colour = "green" if report.ok(strict) else "red"
    last = click.style(summary(report, strict=strict), fg=colour, bold=True)
    if report.findings:
        rule = report.findings[-1].rule.id
        hint = f"tritonkit check --explain {rule} says more, as it does of every rule."
        last += f"\n{click.style(hint, dim=True)}"
    return "\n\n".join([*parts, last])


def _again(report: Report) -> dict[tuple[str, str], list[Finding]]:
    """By rule and advice, what is told briefly."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        alike.setdefault((finding.rule.id, finding.found.advice), []).append(finding)
    return {key: alike[key][_FULL:] for key in sorted(alike) if len(alike[key]) > _MANY}


def _briefly(findings: list[Finding]) -> Iterator[str]:
    rule = findings[0].rule
    heading = f"{rule.id} {rule.name}, {len(findings)} more as above"
    yield click.style(heading, bold=True, underline=True)
    many = rule.severity is Severity.WARNING and len(findings) > _MANY
    for finding in findings[:_MANY] if many else findings:
        yield _headline(finding)
    if many:
        yield f"  and {len(findings) - _MANY} more: --verbose tells each."


def _headline(finding: Finding) -> str:
    place = ":".join(
        [shown(from_here(finding.file))]
        + [str(number) for number in (finding.line, finding.column) if number is not None]
    )
    severity = click.style(finding.severity, fg=_COLOURS[finding.severity], bold=True)
    return f"  {click.style(place, bold=True)}: {severity}: {shown(finding.found.message)}"


def _lines(finding: Finding, width: int) -> Iterator[str]:
    found = finding.found
    colour = _COLOURS[finding.severity]
    yield _headline(finding)
    # What is about the whole file has no place in it that would be worth a look.
    somewhere = found.path or found.line is not None
    if somewhere and finding.line is not None and finding.source.strip():
        text, caret = excerpt(finding.source, finding.column or 1, width - 12)
        yield f"  {click.style(f'{finding.line:>6} |', dim=True)} {text}"
        yield f"  {click.style('       |', dim=True)} {click.style(caret, fg=colour, bold=True)}"
    if found.triton:
        yield from _labelled("Triton", shown(found.triton, lines=True).split("\n"))
    advice = textwrap.wrap(
        shown(found.advice), width - 4 - _LABEL, break_long_words=False, break_on_hyphens=False
    )
    yield from _labelled("Do", advice + (["(--fix does it.)"] if found.fix is not None else []))
    yield from _labelled(
        finding.rule.id, [click.style(f"{finding.rule.name}, {finding.rule.page}", dim=True)]
    )


def _labelled(label: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield f"    {click.style(f'{label:<{_LABEL}}', dim=True)}{line}"
        label = ""
