"""A report as annotations of a GitHub Actions run."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Finding, Severity
from tritonkit.repository.check.report.paths import from_here
from tritonkit.repository.check.report.report import Report
from tritonkit.repository.check.report.summary import summary

__all__ = ["as_github"]

_COMMANDS = {Severity.ERROR: "error", Severity.REQUEST: "error", Severity.WARNING: "warning"}


def as_github(report: Report, *, strict: bool = False) -> str:
    """
    A workflow command for each finding, and the summary.

    GitHub shows each beside its line of the file; paths are those from the current
    folder, which is the checkout's in a run.
    """
    return "\n".join([*map(_command, report.findings), summary(report, strict=strict)])


def _command(finding: Finding) -> str:
    return f"::{_COMMANDS[finding.severity]} {','.join(_properties(finding))}::{_text(finding)}"


def _properties(finding: Finding) -> Iterator[str]:
    yield f"file={_property(from_here(finding.file))}"
    if finding.line is not None:
        yield f"line={finding.line}"
    if finding.column is not None:
        yield f"col={finding.column}"
    yield f"title={_property(f'{finding.rule.id} {finding.rule.name} in {finding.model}')}"


def _text(finding: Finding) -> str:
    found = finding.found
    lines = [found.message, found.advice]
    if found.triton:
        lines.append(f"Triton says: {found.triton}")
    return _data("\n".join(lines))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
