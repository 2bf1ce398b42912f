"""A report in one line."""

from __future__ import annotations

from tritonkit.repository.check.report.report import Report

__all__ = ["summary"]


def summary(report: Report, *, strict: bool = False) -> str:
    """
    Such as "12 models, 3 errors, 1 that fails when asked, 4 warnings".

    Args:
        report: Of a check.
        strict: Whether warnings are wrong as well.
    """
    told = [_many(len(report.models), "model")]
    told += [_many(report.errors, "error")] if report.errors else []
    if report.requests:
        told.append(
            f"{report.requests} that {'fails' if report.requests == 1 else 'fail'} when asked"
        )
    told += [_many(report.warnings, "warning")] if report.warnings else []
    line = ", ".join(told)
    if not report.findings:
        line = f"{line}: nothing is wrong"
    elif report.ok(strict):
        line = f"{line}: Triton loads {'it' if len(report.models) == 1 else 'them'}"
    elif report.ok():
        line = f"{line}, which {'is' if report.warnings == 1 else 'are'} wrong under --strict"
    if report.ignored:
        line = f"{line} ({len(report.ignored)} ignored by comments)"
    return f"{line}."


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
