from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tritonkit.bench.compare.comparison import compare
from tritonkit.bench.compare.metric import parse_metrics
from tritonkit.bench.compare.text import markdown
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Band, Failure
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.summary import latency_of
from tritonkit.bench.report.json import Report, document, write
from tritonkit.cli import main
from tritonkit.errors import ConfigError

Run = Callable[..., Report]


def verdicts(base: Report, new: Report, metrics: str = "throughput,p50,errors") -> list[str]:
    found = compare(base, new, metrics=parse_metrics(metrics)).changes
    return [change.verdict for change in found]


def test_slower_is_worse_and_faster_is_better(run: Run) -> None:
    assert verdicts(run(1), run(2, scale=1.5))[1] == "worse"
    assert verdicts(run(1), run(2, scale=0.6))[1] == "better"


def test_fewer_answers_are_worse(run: Run) -> None:
    assert verdicts(run(1, each=80), run(2, each=40))[0] == "worse"


def test_errors_are_worse_though_those_that_were_answered_are_as_fast(run: Run) -> None:
    assert verdicts(run(1), run(2, failed=3)) == ["unclear", "unclear", "worse"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_without_any_answer_is_worse_whatever_is_compared(run: Run, kept: bool) -> None:
    gone = run(2)
    (one,) = gone.measurements
    nothing = latency_of(Counts.of(np.empty(0, dtype=np.int64)))
    empty = dataclasses.replace(one.timeline[0], answered=0, failed=40, histogram="")
    failed = dataclasses.replace(
        one,
        latency=nothing,
        service_time=nothing,
        failures=(Failure(kind="NotConnected", count=640, first="no"),),
        timeline=tuple(dataclasses.replace(empty, start=each.start) for each in one.timeline)
        if kept
        else (),
    )
    new = dataclasses.replace(gone, measurements=(failed,))
    metrics = "throughput,p99,mean,goodput:1ms,errors"
    assert verdicts(run(1, each=80), new, metrics) == ["worse"] * 5
    assert "worse" not in verdicts(new, new, metrics)


def test_answers_that_are_too_late_are_less_goodput(run: Run) -> None:
    # Of lognormal latencies with a median of 1 ms 50 % come within it, of 1.5 ms 21 %.
    assert verdicts(run(1, each=80), run(2, each=80, scale=1.5), "goodput:1ms") == ["worse"]
    assert verdicts(run(1, each=80), run(2, each=80, scale=0.5), "goodput:1ms") == ["better"]
    assert verdicts(run(1), run(2, scale=100.0), "goodput:1ms") == ["worse"]
    with pytest.raises(ConfigError, match="goodput"):
        parse_metrics("goodput:fast")


def test_a_run_with_itself_is_the_same_or_unclear(run: Run) -> None:
    assert "worse" not in verdicts(run(1), run(1))
    assert verdicts(run(1, each=400), run(1, each=400))[1] == "same"


def test_more_comparisons_at_once_make_wider_intervals(run: Run) -> None:
    one = compare(run(1), run(2), metrics=parse_metrics("p50")).changes[0].interval
    other = compare(run(1), run(2), metrics=parse_metrics("p50,p75,p90,mean")).changes[0].interval
    assert other.width > 1.1 * one.width


def test_without_slices_the_bands_of_the_run_are_used_and_without_those_nothing_is_said(
    run: Run,
) -> None:
    def without(report: Report, **fields: object) -> Report:
        measurement = dataclasses.replace(report.measurements[0], timeline=(), **fields)  # type: ignore[arg-type]
        return dataclasses.replace(report, measurements=(measurement,))

    assert verdicts(without(run(1)), without(run(2, scale=3.0)), "p50") == ["unclear"]
    bands = [{"p50": Band(scale * 960, scale * 1040)} for scale in (1, 3)]
    found = verdicts(
        without(run(1), bands=bands[0]), without(run(2, scale=3.0), bands=bands[1]), "p50"
    )
    assert found == ["worse"]


def test_conditions_that_differ_are_named_and_what_may_differ_is_not(run: Run) -> None:
    base, new = run(1), run(1)
    conditions = dataclasses.replace(
        new.conditions,
        url="http://other:8000",
        started="2026-01-02T00:00:00+00:00",
        seed=3,
        plan={"seed": 3},
        config_digests={"m": "11"},
        machine=dataclasses.replace(new.conditions.machine, cpu="another"),
    )
    found = compare(base, dataclasses.replace(new, conditions=conditions)).differences
    assert {one.name for one in found} == {"config_digests.m", "seed", "machine.cpu"}
    assert "seed: 0 and 3" in map(str, found)


def test_a_busy_machine_an_unstable_and_an_interrupted_run_are_noted(run: Run) -> None:
    base = run(1, unstable="latency rises", interrupted=True)
    conditions = dataclasses.replace(base.conditions, load_average=(99.0, 1.0, 1.0))
    notes = " ".join(compare(dataclasses.replace(base, conditions=conditions), run(2)).notes)
    for told in ("load average was 99.0", "unstable, latency rises", "interrupted", "--repeats"):
        assert told in notes


def test_two_windows_say_so_and_their_intervals_can_be_read(run: Run) -> None:
    found = compare(run(1, windows=2), run(2, windows=2, scale=1.2), alpha=1e-6)
    assert any("--repeats 3 or more" in note for note in found.notes)
    # Quantiles of Student's t with 1 to 2 degrees of freedom lie thousands of errors away.
    assert "to more than +1000.0)" in markdown(found).replace("\\", "")
    assert not any("--repeats 3" in note for note in compare(run(1), run(2)).notes)


def test_points_are_matched_by_what_they_are(run: Run) -> None:
    one, four = run(1, load=Closed(1)), run(1, load=Closed(4))
    both = dataclasses.replace(one, measurements=one.measurements + four.measurements)
    found = compare(both, four)
    assert [str(point) for point in found.only_base] == ["concurrency 1"]
    assert {str(change.point) for change in found.changes} == {"concurrency 4"}
    with pytest.raises(ConfigError, match="have no point in common: the first has concurrency 1"):
        compare(one, four)
    twice = dataclasses.replace(one, measurements=one.measurements * 2)
    with pytest.raises(ConfigError, match="holds the point concurrency 1 more than once"):
        compare(twice, one)


@pytest.mark.parametrize("text", ["p0", "p101", "speed", "", "p"])
def test_an_unknown_metric_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="a metric is throughput, mean, errors"):
        parse_metrics(text)


def test_markdown_holds_no_markup_of_users(run: Run) -> None:
    base = run(1)
    named = dataclasses.replace(base.conditions, model="<b>|*x*")
    text = markdown(compare(base, dataclasses.replace(base, conditions=named)))
    assert "\\<b\\>\\|\\*x\\*" in text
    assert "| point | metric | base | new | change | verdict |" in text
    assert "<details><summary>Conditions that differ: 1</summary>" in text


@pytest.fixture
def files(run: Run, tmp_path: Path) -> tuple[str, str]:
    for name, report in (("base", run(1)), ("new", run(2, scale=1.5))):
        write(tmp_path / f"{name}.json", document(report.conditions, report.measurements))
    return str(tmp_path / "base.json"), str(tmp_path / "new.json")


def test_the_exit_code_is_for_continuous_integration(
    files: tuple[str, str], tmp_path: Path
) -> None:
    def code(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["bench", "compare", *words])
        return done.exit_code, done.output

    base, new = files
    assert code(base, new)[0] == 0
    assert code(base, new, "--fail-above", "5%")[0] == 1
    assert code(new, base, "--fail-above", "5%", "--strict")[0] == 0
    assert code(base, base, "--fail-above", "0%")[0] == 0
    status, told = code(base, str(tmp_path / "none.json"))
    assert (status, "none.json cannot be read" in told) == (2, True)
    assert code(base, new, "--metric", "speed")[0] == 2
    output = tmp_path / "x.md"
    assert "▼ worse" in code(base, new, "--output", str(output))[1]
    assert output.read_text(encoding="utf-8").startswith("### m: ")
    assert code(base, new, "--markdown")[1] == output.read_text(encoding="utf-8")


def test_a_point_that_the_new_run_lacks_fails(run: Run, tmp_path: Path) -> None:
    one, four = run(1, load=Closed(1)), run(1, load=Closed(4))
    both = one.measurements + four.measurements
    write(tmp_path / "both.json", document(one.conditions, both))
    write(tmp_path / "one.json", document(one.conditions, one.measurements))
    words = ["bench", "compare", str(tmp_path / "both.json"), str(tmp_path / "one.json")]
    assert CliRunner().invoke(main, words).exit_code == 0
    done = CliRunner().invoke(main, [*words, "--fail-above", "5%"])
    assert (done.exit_code, "both.json: concurrency 4" in done.output) == (1, True)
    back = [*words[:2], words[3], words[2], "--fail-above", "5%"]
    assert CliRunner().invoke(main, back).exit_code == 0


def test_strict_refuses_other_conditions(files: tuple[str, str], run: Run) -> None:
    other = run(1)
    conditions = dataclasses.replace(other.conditions, seed=9)
    write(Path(files[1]), document(conditions, other.measurements))
    done = CliRunner().invoke(main, ["bench", "compare", *files, "--strict"])
    assert done.exit_code == 2
    assert "the runs are not of the same conditions: seed: 0 and 9" in done.output
