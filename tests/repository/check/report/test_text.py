"""A report as people read it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from tritonkit.repository.check.check import check
from tritonkit.repository.check.report.as_text import as_text
from tritonkit.repository.check.report.excerpt import excerpt
from tritonkit.repository.check.report.report import Report
from tritonkit.repository.check.report.summary import summary
from tritonkit.repository.check.target import Target


def test_a_finding_shows_its_place_what_triton_says_and_what_to_do(report: Report):
    text = click.unstyle(as_text(report))

    assert (
        "  a repository/wrong/config.pbtxt:6:47: error: A preferred batch size is 16, and "
        "max_batch_size is 8.\n"
        "       6 | dynamic_batching { preferred_batch_size: [ 4, 16 ] }  # 16: too many\n"
        f"         | {'^^':>48}\n"
        "    Triton  dynamic batching preferred size must be <= max batch size for wrong\n"
    ) in text
    assert "(--fix does it.)" in text
    assert "    TK066   preferred-size-above-maximum, docs/rules/batching.md#tk066\n" in text
    assert [line for line in text.split("\n") if line in {"asked", "left", "right", "wrong"}] == [
        "asked",
        "wrong",
    ]


def test_many_that_are_alike_are_told_once(report: Report):
    """Each error keeps a line, so that all are seen at once; warnings are counted."""
    wrong = next(one for one in report.findings if one.rule.id == "TK066")
    warned = next(one for one in report.findings if one.rule.id == "TK141")
    alike = tuple(replace(one, model=f"m{n}") for one in (wrong, warned) for n in range(30))
    many = replace(report, findings=alike)

    text = click.unstyle(as_text(many))

    assert text.count("    Triton  dynamic batching preferred size") == 3
    assert text.count(": error: A preferred batch size is 16") == 30
    assert text.count("    TK141   ") == 3
    assert "\nTK141 version-not-there, 27 more as above\n" in text
    assert text.count(": warning: ") == 3 + 10
    assert "\n  and 17 more: --verbose tells each.\n" in text
    assert click.unstyle(as_text(many, verbose=True)).count("    Do  ") == 60
    assert click.unstyle(as_text(replace(report, findings=alike[:10]))).count("    Do  ") == 10


def test_what_a_terminal_would_obey_is_shown_instead(tmp_path: Path):
    model = tmp_path / "m"
    (model / "1").mkdir(parents=True)
    (model / "config.pbtxt").write_text('name: "\x1b[2Jn"\nbackend: "python"\n')

    assert "\x1b" not in click.unstyle(as_text(check(model)))


@pytest.mark.parametrize(
    ("strict", "end"),
    [(False, "1 warning: Triton loads it."), (True, "1 warning, which is wrong under --strict.")],
)
def test_the_summary_tells_what_a_warning_means(report: Report, strict: bool, end: str):
    warned = tuple(one for one in report.findings if one.model == "warned")
    only = Report(report.path, Target(), ("warned",), warned)

    assert summary(only, strict=strict) == f"1 model, {end}"
    assert only.ok(strict) is not strict


def test_the_summary_of_what_is_right():
    assert summary(Report(Path(), Target(), ("m",))) == "1 model: nothing is wrong."


@pytest.mark.parametrize(
    ("line", "column", "text", "marked"),
    [
        ('\tname: "x"  ', 8, 'name: "x"', '"x"'),
        ("dims: [ -1, 16 ]", 9, "dims: [ -1, 16 ]", "-1"),
        ('name: "名前" dims: 0', 18, 'name: "名前" dims: 0', "0"),
        ("}", 9, "}", ""),
    ],
)
def test_an_excerpt_marks_the_token(line: str, column: int, text: str, marked: str):
    shown, mark = excerpt(line, column, 80)

    assert shown == text
    wide = sum(2 if "\u1100" <= character <= "\uffdc" else 1 for character in marked)
    assert mark.count("^") == max(wide, 1)


def test_an_excerpt_of_a_long_line_shows_what_is_around_the_token():
    line = f"parameters {{ key: {'k' * 500} }} max_batch_size: -1 {'#' * 500}"

    shown, mark = excerpt(line, line.index("-1") + 1, 60)

    assert shown.startswith("...")
    assert shown.endswith("...")
    assert shown[mark.index("^") : mark.index("^") + 2] == "-1"
    assert len(shown) <= 66


@seed(20261126)
@given(st.text(max_size=80), st.integers(1, 100), st.integers(20, 60))
def test_any_line_can_be_shown(line: str, column: int, width: int):
    shown, mark = excerpt(line, column, width)

    assert shown.isprintable()
    assert mark.strip("^ ") == ""
    assert mark.endswith("^")
