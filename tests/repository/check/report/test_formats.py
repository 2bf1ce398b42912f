"""A report as it is read by programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jsonschema import Draft202012Validator

from tritonkit.repository.check.report.as_github import as_github
from tritonkit.repository.check.report.as_json import as_json
from tritonkit.repository.check.report.as_sarif import as_sarif
from tritonkit.repository.check.report.report import Report

DOCS = Path(__file__).parents[4] / "docs" / "rules"
FOUND = ["TK029", "TK141", "TK002", "TK066"]


def test_json_is_as_its_schema_says(report: Report):
    schema = json.loads((DOCS / "report.schema.json").read_text())
    told = json.loads(as_json(report))

    Draft202012Validator(schema).validate(told)
    assert [finding["rule"] for finding in told["findings"]] == FOUND
    assert told["summary"] == {
        "models": 5,
        "errors": 2,
        "requests": 1,
        "warnings": 1,
        "ignored": 1,
    }
    assert not told["ok"]
    size = told["findings"][3]
    assert (size["model"], size["line"], size["value"]) == ("wrong", 6, "16")
    assert size["file"] == "a repository/wrong/config.pbtxt"
    assert size["fixable"]


def test_sarif_is_as_its_standard_says(report: Report):
    schema = json.loads((Path(__file__).parent / "sarif.schema.json").read_text())
    told = json.loads(as_sarif(report))

    Draft202012Validator(schema).validate(told)
    (run,) = told["runs"]
    results = run["results"]
    assert [result["ruleId"] for result in results] == [*FOUND, "TK141"]
    assert [result["level"] for result in results] == [
        "error",
        "warning",
        "error",
        "error",
        "warning",
    ]
    assert [result["ruleId"] for result in results if "suppressions" in result] == ["TK141"]
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)
    place = results[3]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20repository/wrong/config.pbtxt"
    assert place["region"] == {"startLine": 6, "startColumn": 47}


def test_a_finding_keeps_its_fingerprint_where_lines_move(report: Report, tmp_path: Path):
    from tritonkit.repository.check.check import check

    def fingerprints(of: Report) -> list[object]:
        (run,) = json.loads(as_sarif(of))["runs"]
        return [result["partialFingerprints"] for result in run["results"]]

    before = fingerprints(report)
    config = tmp_path / "a repository" / "wrong" / "config.pbtxt"
    config.write_text(f"\n# moved\n{config.read_text()}")

    assert fingerprints(check("a repository")) == before
    assert len({str(each) for each in before}) == len(before)


def test_github_shows_each_finding_at_its_line(report: Report):
    """Signs that end a property or a line of the command are written as its runner reads them."""
    lines = as_github(report).split("\n")

    assert len(lines) == len(FOUND) + 1
    commands = [re.fullmatch(r"::(error|warning) ([^:]*)::(.*)", line) for line in lines[:-1]]
    assert [command[1] for command in commands if command] == ["error", "warning", "error", "error"]
    assert lines[3].startswith(
        "::error file=a repository/wrong/config.pbtxt,line=6,col=47,"
        "title=TK066 preferred-size-above-maximum in wrong::"
    )
    assert "größe, 100%25:" in lines[2]
    assert "%0ATriton says: unexpected directory name" in lines[2]
    assert (
        lines[-1]
        == "5 models, 2 errors, 1 that fails when asked, 1 warning (1 ignored by comments)."
    )
