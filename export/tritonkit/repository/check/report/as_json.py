"""A report as JSON; docs/rules/report.schema.json says what is in it."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from tritonkit.repository.check.finding import Finding
from tritonkit.repository.check.report.report import Report

__all__ = ["SCHEMA_VERSION", "as_json"]

SCHEMA_VERSION = 1
"""Counts up when a member is removed or changes its meaning, not when one is added."""


def as_json(report: Report, *, strict: bool = False) -> str:
    """One object, over lines of its own."""
    told: dict[str, Any] = {
        "version": SCHEMA_VERSION,
        "tool": {"name": "tritonkit", "version": version("tritonkit")},
        "path": str(report.path),
        "triton": str(report.target.release),
        "ok": report.ok(strict),
        "summary": {
            "models": len(report.models),
            "errors": report.errors,
            "requests": report.requests,
            "warnings": report.warnings,
            "ignored": len(report.ignored),
        },
        "models": list(report.models),
        "findings": [_finding(finding) for finding in report.findings],
        "ignored": [_finding(finding) for finding in report.ignored],
    }
    return json.dumps(told, indent=2)


def _finding(finding: Finding) -> dict[str, Any]:
    found = finding.found
    return {
        "rule": finding.rule.id,
        "name": finding.rule.name,
        "severity": str(finding.severity),
        "model": finding.model,
        "file": str(finding.file),
        "line": finding.line,
        "column": finding.column,
        "message": found.message,
        "advice": found.advice,
        "triton": found.triton,
        "tensor": found.tensor,
        "value": found.value,
        "fixable": found.fix is not None,
        "page": finding.rule.page,
    }
