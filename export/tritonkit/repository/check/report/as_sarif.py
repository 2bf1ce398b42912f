"""A report as SARIF 2.1.0, which code hosts and editors read."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tritonkit.repository.check.finding import Finding, Severity
from tritonkit.repository.check.report.report import Report
from tritonkit.repository.check.rule import Rule

__all__ = ["as_sarif"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.REQUEST: "error", Severity.WARNING: "warning"}
_ROOT = "SRCROOT"


def as_sarif(report: Report, *, strict: bool = False) -> str:
    """
    One run: the rules that found something, and a result for each finding.

    Paths below the current folder are relative to it, under the base "SRCROOT".
    """
    results = (*report.findings, *report.ignored)
    rules = {finding.rule.id: finding.rule for finding in results}
    index = {id: number for number, id in enumerate(sorted(rules))}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "tritonkit",
                "semanticVersion": version("tritonkit"),
                "rules": [_rule(rules[id]) for id in index],
            }
        },
        "originalUriBaseIds": {_ROOT: {"uri": f"{Path.cwd().as_uri().rstrip('/')}/"}},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "exitCode": 0 if report.ok(strict) else 1}],
        "results": [
            *(_result(finding, index) for finding in report.findings),
            *(
                _result(finding, index) | {"suppressions": [{"kind": "inSource"}]}
                for finding in report.ignored
            ),
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": f"{rule.title}."},
        "fullDescription": {"text": rule.explanation or f"{rule.title}."},
        "help": {"text": f"{rule.explanation}\n\nExplained in {rule.page}.".strip()},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": [rule.family], "page": rule.page},
    }


def _result(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    found = finding.found
    text = f"{found.message} {found.advice}"
    if found.triton:
        text += f" Triton says: {found.triton}"
    place: dict[str, Any] = {"artifactLocation": _artifact(finding.file)}
    if finding.line is not None:
        place["region"] = {"startLine": finding.line}
        if finding.column is not None:
            place["region"]["startColumn"] = finding.column
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": index[finding.rule.id],
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": place,
                "logicalLocations": [{"name": finding.model, "kind": "module"}],
            }
        ],
        "partialFingerprints": {"finding/v1": _fingerprint(finding)},
    }


def _artifact(file: Path) -> dict[str, str]:
    file = file.absolute()
    if file.is_relative_to(Path.cwd()):
        below = file.relative_to(Path.cwd()).as_posix()
        return {"uri": quote(below, errors="surrogateescape"), "uriBaseId": _ROOT}
    return {"uri": file.as_uri()}


def _fingerprint(finding: Finding) -> str:
    """The same where lines have moved, so that a host knows a finding again."""
    found = finding.found
    path = ".".join(map(str, found.path))
    parts = (finding.rule.id, finding.model, finding.file.name, path, found.tensor, found.value)
    text = "\0".join(parts)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]
