"""`tritonkit experiment` over a real log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tritonkit.cli import main
from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import Answer, Event, Exposure, Outcome
from tritonkit.client.experiments.report import Report
from tritonkit.client.experiments.sqlite import SqliteLog
from tritonkit.client.statistics.planning import plan_mean, plan_rate

HOUR = 3600.0

POLICY = """\
server = "http://localhost:1"
experiments = {{ type = "sqlite", path = "{path}" }}

# On trial.
[[layers]]
type = "split"
experiment = "e"
arms = [{{ name = "control" }}, {{ name = "b", model = "m2" }}]

[[layers]]
type = "retry"  # keep
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["experiment", *map(str, arguments)])


def events(errors: Sequence[int] = (0, 0), paid: Sequence[int] = (20, 40)) -> list[Event]:
    """200 units an arm with two answers each, in two hours."""
    made: list[Event] = []
    for place, arm in enumerate(("control", "b")):
        for number in range(200):
            unit, at = f"{arm}{number}", 1.8e9 + 36 * number
            ids = [f"{place}{number:015x}{part:016x}" for part in (0, 1)]
            named: dict[str, Any] = {"experiment": "e", "version": "v1", "arm": arm, "unit": unit}
            made.append(Exposure(**named, answer=ids[0], at=at))
            for id in ids:
                error = "X" if number < errors[place] else ""
                made.append(Answer(**named, answer=id, seconds=0.1, error=error, at=at))
            if number < paid[place]:
                made.append(Outcome(answer=ids[0], name="paid", value=1.0, at=at + 1))
            made.append(Outcome(answer=ids[1], name="stars", value=number % 5, at=at + 1))
    return made


def written(path: Path, told: Sequence[Event]) -> Path:
    async def write() -> None:
        async with SqliteLog(path, budget="10s", max_age=None) as log:
            await log.describe("e", "v1", {"control": 1, "b": 1})
            exposures = [event for event in told if isinstance(event, Exposure)]
            await asyncio.gather(*map(log.expose, exposures))
            log.add([event for event in told if not isinstance(event, Exposure)])

    asyncio.run(write())
    return path


def control(path: Path) -> Control:
    async def ask() -> Control:
        async with SqliteLog(path) as log:
            return await log.control("e")

    return asyncio.run(ask())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return written(tmp_path / "e.db", events())


def test_status(log: Path) -> None:
    text = run("status", "--log", log)
    assert text.exit_code == 0
    head, line = text.output.splitlines()
    assert head.split()[:4] == ["experiment", "state", "units", "answers"]
    assert line.split()[:6] == ["e", "running", "400", "800", "ok", "(p"]
    (told,) = json.loads(run("status", "--log", log, "--json").output)
    assert (told["arms"], told["sample_ratio_p"]) == ({"control": 200, "b": 200}, 1.0)


def test_status_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    written(path, [])
    asyncio.run(SqliteLog(path).aclose())
    assert run("status", "--log", path).output == "The log knows no experiment.\n"


def test_report(log: Path) -> None:
    """In text, as JSON, and by an exit code."""
    arguments = ["report", "e", "--log", str(log), "--metric", "paid"]
    text = run(*arguments)
    assert text.exit_code == 0, text.output
    lines = text.output.splitlines()
    assert lines[0] == "e, version v1: running"
    assert lines[1].startswith("  verdict      b by paid: undecided: needs about ")
    (line,) = [line.split() for line in lines if line.startswith("paid *")]
    assert line[:6] == ["paid", "*", "b", "+10", "points", "+100.0%"]
    assert run(*arguments, "--fail-on-harm").exit_code == 0
    arguments += ["--weight", "control=1", "--weight", "b=3"]
    assert run(*arguments, "--fail-on-harm").exit_code == 1
    found = Report.from_json(run(*arguments, "--json").output)
    assert (found.decides, found.units, found.answers) == ("paid", 400, 800)
    assert found.sample_ratio is not None
    assert found.sample_ratio.mismatch


def test_a_harm_fails_where_it_is_asked_to(tmp_path: Path) -> None:
    path = written(tmp_path / "e.db", events(errors=(0, 60)))
    assert run("report", "e", "--log", path).exit_code == 0
    assert run("report", "e", "--log", path, "--fail-on-harm").exit_code == 1


def test_plan(log: Path) -> None:
    """By the statistics' own plans; a base from a log has requests and days."""
    made = plan_rate(0.05, 0.005)
    text = run("plan", "--rate", "0.05", "--effect", "10%", "--per-day", "1000").output
    assert f"units     {made.units} of both arms\n" in text
    assert f"days      {made.units / 1000:.1f} at 1000 new units a day\n" in text
    made = plan_mean(-0.1, 2.0, alpha=0.01, power=0.9, treated=0.2)
    arguments = ["--mean", "3", "--deviation", "2", "--effect", "-0.1", "--alpha", "0.01"]
    told = json.loads(
        run("plan", *arguments, "--power", "0.9", "--treated", "0.2", "--json").output
    )
    assert (made.units, None) == (told["units"], told["days"])
    arguments = ["--from", "e", "--log", str(log), "--metric", "paid", "--effect", "0.1"]
    told = json.loads(run("plan", *arguments, "--json").output)
    made = plan_rate(0.1, 0.1)
    assert (made.units, 2 * made.units, 0.1) == (told["units"], told["requests"], told["base"])
    # 400 units came in the 199 * 36 seconds between the first and the last.
    assert told["days"] == pytest.approx(made.units / 400 * 199 * 36 / 86400)
    told = json.loads(
        run("plan", *arguments[:4], "--metric", "stars", "--effect", "1", "--json").output
    )
    assert told["base"] == 2.0


def test_stop_and_promote_now(log: Path) -> None:
    """What all Splits that read the log follow."""
    assert run("stop", "e", "--log", log, "--reason", "slow").exit_code == 0
    told = control(log)
    assert (told.state, told.reason) == ("stopped", "slow")
    assert told.at > 0
    assert "stopped" in run("status", "--log", log).output
    done = run("promote", "e", "b", "--log", log, "--now")
    assert (done.exit_code, done.output) == (0, "e: b answers everybody.\n")
    assert (control(log).state, control(log).arm) == ("promoted", "b")
    assert "e, version v1: promoted b" in run("report", "e", "--log", log).output


def test_promote_in_the_file(tmp_path: Path, log: Path) -> None:
    """A dry run changes nothing; then all but the experiment is as it was, rights too."""
    path = tmp_path / "serving.toml"
    text = POLICY.format(path=log)
    path.write_text(text)
    path.chmod(0o640)
    dry = run("promote", "e", "b", "--policy", path, "--dry-run")
    assert '+routes = [{ name = "b", model = "m2" }]' in dry.output
    assert text == path.read_text()
    assert run("promote", "e", "b", "--policy", path).exit_code == 0
    layer = '[[layers]]\ntype = "tiers"\nroutes = [{ name = "b", model = "m2" }]\n'
    begin, end = text.index("[[layers]]"), text.index('\n[[layers]]\ntype = "retry"')
    assert text[:begin] + layer + text[end:] == path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir() if "toml" in each.name) == [path.name]
    assert CliRunner().invoke(main, ["policy", "check", str(path)]).exit_code == 0
    again = run("promote", "e", "b", "--policy", path)
    assert (again.exit_code, "there is no split" in again.output) == (2, True)


def test_guard(tmp_path: Path) -> None:
    """Nothing where nothing is wrong; 1 where it stops, once."""
    path = written(tmp_path / "good.db", events())
    arguments = ["--metric", "errors", "--harm", "0.01", "--once"]
    good = run("guard", "e", "--log", path, *arguments)
    assert (good.exit_code, good.output) == (0, "e: no arm is known to harm errors.\n")
    path = written(tmp_path / "bad.db", events(errors=(0, 60)))
    bad = run("guard", "e", "--log", path, *arguments[:-1], "--every", "1s")
    assert bad.exit_code == 1
    assert bad.output.startswith("e is stopped: b harms errors: 0.3 over 200 units")
    assert control(path).state == "stopped"
    assert run("guard", "e", "--log", path, *arguments[:-1]).output == "e has ended.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status"], "--log or --policy"),
        (["status", "--log", "none.db"], "there is no log at none.db"),
        (["status", "--log", "http://host"], "must be at a path"),
        (["report", "f", "--log", "e.db"], "knows no experiment 'f'"),
        (["report", "e", "--log", "e.db", "--metric", "what"], "metric must be one of"),
        (["report", "e", "--log", "e.db", "--least", "1"], "name one"),
        (["report", "e", "--log", "e.db", "--weight", "b"], "must be ARM=WEIGHT"),
        (["report", "e", "--log", "e.db", "--version", "w"], "version must be"),
        (["plan", "--effect", "1"], "the base is one of"),
        (["plan", "--effect", "1", "--mean", "1"], "the base is one of"),
        (["plan", "--effect", "what", "--rate", "0.5"], "--effect must be"),
        (["plan", "--effect", "1", "--from", "e", "--log", "e.db"], "--from needs --metric"),
        (["stop", "f", "--log", "e.db", "--reason", "x"], "knows no experiment 'f'"),
        (["promote", "e", "c", "--log", "e.db", "--now"], "arm must be one of"),
        (["promote", "e", "b", "--log", "e.db"], "--policy must name the file"),
        (["promote", "e", "b", "--log", "e.db", "--now", "--diff"], "about the file"),
        (["promote", "e", "b", "--policy", "none.toml"], "cannot be read"),
        (["guard", "f", "--log", "e.db", "--metric", "errors"], "knows no experiment 'f'"),
    ],
)
def test_what_is_wrong(
    arguments: list[str], message: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, and the exit code is 2."""
    monkeypatch.chdir(log.parent)
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.output


def test_a_policy_says_where(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is; one that does not is refused."""
    monkeypatch.chdir(log.parent)
    Path("serving.toml").write_text(POLICY.format(path=log))
    told: Any = json.loads(run("status", "--policy", "serving.toml", "--json").output)
    assert told[0]["experiment"] == "e"
    Path("bare.toml").write_text('server = "http://localhost:1"\n')
    assert run("status", "--policy", "bare.toml").exit_code == 2
