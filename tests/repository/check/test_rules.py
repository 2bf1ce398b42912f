"""Each rule finds its mistake and leaves what is right alone, and the real server agrees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.repository.check.case import Case, Files, write_files
from tests.repository.check.conftest import Judge
from tests.repository.check.table import all_cases

from tritonkit.repository.check.checker import all_rules, findings_of
from tritonkit.repository.check.finding import Finding, Severity
from tritonkit.repository.check.neighbours import Neighbours

CASES = all_cases()
RULES = {rule.id: rule for rule in all_rules()}
NAMES = [f"{case.rule}-{number}" for number, case in enumerate(CASES)]


def _findings(repository: Path, case: Case) -> list[Finding]:
    second = repository.parent / "second"
    repositories = [repository, *([second] if second.is_dir() else [])]
    subject = Neighbours(repositories, case.target).get(case.model)
    assert subject is not None, f"the case has no model {case.model!r}"
    return findings_of(subject)


def _written(folder: Path, files: Files) -> Path:
    repository = folder / "model_repository"
    repository.mkdir()
    write_files(repository, files)
    return repository


def _told(findings: list[Finding]) -> str:
    return "\n".join(
        f"{one.rule.id} {one.file}:{one.line}:{one.column} {one.found.message} {one.found.triton}"
        for one in findings
    )


def test_every_rule_has_a_case():
    assert set(RULES) == {case.rule for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_finds_the_mistake(case: Case, tmp_path: Path):
    """`fails` has as many findings as the case says, each with Triton's text, at its place."""
    repository = _written(tmp_path, case.fails)
    findings = _findings(repository, case)
    found = [one for one in findings if one.rule.id == case.rule]

    assert len(found) == case.finds, _told(findings)
    texts = {one.found.triton for one in found if one.found.triton}
    assert texts == ({case.says.replace("{repository}", str(repository))} if case.says else set())
    assert all(one.found.message and one.found.advice for one in found)
    if case.at:
        assert any(_pointed(one).startswith(case.at) for one in found), _told(found)
    else:
        assert all((one.line or 1, one.column or 1) == (1, 1) for one in found), _told(found)


def _pointed(finding: Finding) -> str:
    """What stands at its line and column."""
    if finding.line is None or finding.column is None:
        return ""
    return finding.file.read_text().split("\n")[finding.line - 1][finding.column - 1 :]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_leaves_alone_what_is_right(case: Case, tmp_path: Path):
    """`passes` has no finding of the rule, and no error of any."""
    findings = _findings(_written(tmp_path, case.passes), case)

    wrong = [one for one in findings if one.rule.id == case.rule or one.severity == Severity.ERROR]
    assert not wrong, _told(wrong)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_server_agrees(case: Case, request: pytest.FixtureRequest):
    """The server refuses `fails` of an error with that text, and loads the rest."""
    if not case.unasked:
        judge = _judge(case.fails, request)
        answer = judge.load(case.model, case.fails)
        refused = RULES[case.rule].severity is Severity.ERROR
        assert answer.loaded != refused, answer.text
        if RULES[case.rule].severity is not Severity.REQUEST:
            assert case.says.replace("{repository}", str(judge.repository)) in answer.text
    if not case.unasked_passes:
        answer = _judge(case.passes, request).load(case.model, case.passes)
        assert answer.loaded, answer.text


def _judge(files: Files, request: pytest.FixtureRequest) -> Judge:
    """The quick one, where there is nothing that a server would complete."""
    folders = {path.partition("/")[0] for path in files}
    configs = [str(files.get(f"{folder}/config.pbtxt", "")) for folder in folders]
    # A batch input without a type is told otherwise where nothing is completed.
    whole = not any("batch_input" in config for config in configs)
    whole &= all(re.search(r"\binput\b", c) and re.search(r"\boutput\b", c) for c in configs)
    # It is the completion that finds the embedded server's onnxruntime backend.
    python = not any(path.endswith(".onnx") for path in files)
    asked: Judge = request.getfixturevalue("quick_judge" if whole and python else "judge")
    return asked
