"""`tritonkit bench tune` and `capacity` on a real server, which `explicit` sees restored."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tritonkit.bench.commands.group import bench
from tritonkit.bench.report.json import read
from tritonkit.repository.text.read import read_config
from tritonkit.server import EmbeddedServer

FAST = ["--metrics", "off", "--duration", "200ms", "--warmup", "50ms"]


def run(server: EmbeddedServer, *arguments: str) -> Result:
    command, model, *rest = arguments
    return CliRunner().invoke(bench, [command, model, "--url", server.http_url, *rest])


def test_the_best_is_found_told_and_written(
    explicit: EmbeddedServer, sweep_repository: Path, tmp_path: Path
) -> None:
    """
    Two windows of which one is far too long, whatever else the machine does.

    The repository is a copy: the server's own files stay as they are.
    """
    copy = tmp_path / "copied" / "echo"
    copy.mkdir(parents=True)
    (copy / "config.pbtxt").write_text((sweep_repository / "echo" / "config.pbtxt").read_text())
    output = tmp_path / "tune.json"
    result = run(
        explicit, "tune", "echo", *FAST, "--target", "p50 < 300ms", "--max-queue-delay", "1ms,1s",
        "--concurrency", "2,4", "--budget", "6", "--output", str(output), "--apply",
        "--repository", str(copy.parent),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Best: max_queue_delay 1ms" in result.output
    assert "predicted" in result.output
    assert "4 points" in result.output
    assert read_config(copy).dynamic_batching.max_queue_delay_microseconds == 1000
    assert (copy / "config.pbtxt.before").exists()
    assert read(output).measurements
    assert not output.with_name("tune.json.journal").exists()


def test_where_nothing_keeps_the_target_the_exit_code_says_so(explicit: EmbeddedServer) -> None:
    result = run(
        explicit, "tune", "echo", *FAST, "--target", "p50 < 1us", "--max-queue-delay", "0,1ms",
        "--concurrency", "1", "--budget", "3",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "Nothing that was measured keeps p50 < 1us" in result.output
    assert "Closest" in result.output


def test_a_plan_is_shown_and_nothing_measured(explicit: EmbeddedServer) -> None:
    result = run(explicit, "tune", "pipeline", "--on", "echo", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "max_queue_delay: 0us, 500us" in result.output
    assert "at most" in result.output


def test_a_capacity_is_found(explicit: EmbeddedServer, tmp_path: Path) -> None:
    """Of a target that the first rate keeps and no server keeps at the second: 200/s at most."""
    output = tmp_path / "capacity.json"
    result = run(
        explicit, "capacity", "echo", *FAST, "--target", "p50 < 500ms", "--max-in-flight", "1",
        "--longest", "400ms", "--tolerance", "50%", "--output", str(output),
    )  # fmt: skip
    assert result.exit_code in (0, 1), result.output
    assert "apacity with p50 < 500ms" in result.output or "No rate" in result.output
    assert read(output).measurements


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["tune", "echo", "--target", "p99"], "a target is such as"),
        (["tune", "echo", "--maximise", "goodput", "--minimise", "cost"], "leave one out"),
        (["tune", "echo", "--maximise", "goodput"], "names none"),
        (["tune", "echo", "--price", "2"], "--minimise"),
        (["tune", "echo", "--apply"], "--repository"),
        (["tune", "echo", "--resume"], "--output"),
        (["tune", "echo", "--budget", "fast"], "budget"),
        (["tune", "echo", "--concurrency", "1", "--rate", "5"], "closed loop"),
        (["capacity", "echo", "--target", "p99 < 1ms", "--start", "0"], "start"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_asked(
    arguments: list[str], part: str
) -> None:
    result = CliRunner().invoke(bench, [*arguments, "--url", "http://127.0.0.1:9"])
    assert result.exit_code != 0
    assert part in str(result.exception) + result.output
