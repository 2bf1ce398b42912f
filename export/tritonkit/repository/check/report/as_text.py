"""A report as people read it on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

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


def as_text(report: Report, *, strict: bool = False, width: int = 100) -> str:
    """
    The findings, grouped by model, and a summary.

    Args:
        report: Of a check.
        strict: Whether warnings are wrong as well.
        width: Columns of the terminal. What Triton says stays on one line, so that it
            is found again in a log and by a search.
    """
    parts: list[str] = []
    for model in report.models:
        findings = report.of(model)
        if findings:
            parts.append(click.style(shown(model), bold=True, underline=True))
            parts += ["\n".join(_lines(finding, width)) for finding in findings]
    colour = "green" if report.ok(strict) else "red"
    last = click.style(summary(report, strict=strict), fg=colour, bold=True)
    if report.findings:
        rule = report.findings[-1].rule.id
        hint = f"tritonkit check --explain {rule} says more, as it does of every rule."
        last += f"\n{click.style(hint, dim=True)}"
    return "\n\n".join([*parts, last])


def _lines(finding: Finding, width: int) -> Iterator[str]:
    found = finding.found
    place = ":".join(
        [shown(from_here(finding.file))]
        + [str(number) for number in (finding.line, finding.column) if number is not None]
    )
    colour = _COLOURS[finding.severity]
    severity = click.style(finding.severity, fg=colour, bold=True)
    yield f"  {click.style(place, bold=True)}: {severity}: {shown(found.message)}"
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
