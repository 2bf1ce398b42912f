"""`tritonkit bench sweep` on a real server, killed and interrupted as it may be."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tritonkit.bench.commands.group import bench
from tritonkit.bench.report.json import read
from tritonkit.bench.sweep.control import ModelControl
from tritonkit.server import EmbeddedServer

FAST = ["--metrics", "off", "--duration", "300ms", "--warmup", "100ms"]


def config_of(server, model):
    async def ask():
        control = ModelControl.connect(server.http_url)
        try:
            return await control.config(model)
        finally:
            await control.aclose()

    return asyncio.run(ask())


def started(server, *arguments):
    """A sweep in a process of its own, which has measured its first point."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tritonkit", "bench", "sweep", "--url", server.http_url),
            *FAST,
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = []
    for line in process.stderr:
        told.append(line)
        if line.startswith("[1/"):
            return process
    process.communicate()
    raise AssertionError(f"no point was measured: {''.join(told)}")


def test_killed_and_gone_on_with(explicit, originals, tmp_path, state):
    """
    The next command restores and says so. What is done is not measured again; the
    server's own counters show each setting.
    """
    output = tmp_path / "sweep.json"
    arguments = ["pipeline", "--on", "echo", "--dynamic-batching", "off", "--output", str(output)]
    process = started(explicit, *arguments, "--concurrency", "1:99")
    process.kill()
    _out, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err
    assert "dynamic_batching" not in config_of(explicit, "echo")
    assert list(state.glob("*.json"))
    assert not output.exists()

    result = CliRunner().invoke(
        bench,
        [
            *("sweep", "--url", explicit.http_url, *FAST, *arguments),
            *("--concurrency", "1,16", "--resume"),
        ],
    )

    assert result.exit_code == 0, result.output
    assert f"(process {process.pid}) had left settings" in result.stderr
    assert "concurrency 1: " in result.stderr
    assert result.stderr.count("(from the journal)") == 1
    report = read(output)
    assert [m.point.concurrency for m in report.measurements] == [1, 16]
    assert [dict(m.point.settings) for m in report.measurements] == [
        {"dynamic_batching": "off"}
    ] * 2
    (echo,) = [times for times in report.measurements[-1].server if times.model == "echo"]
    assert set(echo.batches) == {1}
    assert list(tmp_path.glob("*.journal")) == []
    assert config_of(explicit, "echo") == originals["echo"]


def test_interrupted(explicit, originals, tmp_path):
    """The server is restored at once; the points stay in the journal and the report."""
    output = tmp_path / "sweep.json"
    process = started(
        explicit,
        *("echo", "--max-queue-delay", "5ms", "--concurrency", "1:99", "--output", str(output)),
    )
    # A run beside it would measure its settings.
    result = CliRunner().invoke(bench, ["run", "echo", "--url", explicit.http_url, *FAST])
    assert "another sweep changes the configuration" in str(result.exception)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "points measured; --resume goes on with it" in err
    assert "Traceback" not in err
    assert "max_queue_delay 5ms" in out
    assert config_of(explicit, "echo") == originals["echo"]
    assert len(read(output).measurements) >= 1
    lines = (tmp_path / "sweep.json.journal").read_text().splitlines()
    assert len(lines) == len(read(output).measurements) + 1


def test_a_server_that_is_started_again_and_one_that_stays_away(
    sweep_repository, triton_server, tmp_path, state
):
    """
    The first has its files' settings then; the sweep applies its own and goes on.

    Of the second what was measured is shown and written; the record stays, since nobody
    could look.
    """
    options = {"model_control_mode": "explicit", "load_models": ["echo"]}
    first = triton_server(sweep_repository, **options)
    port = int(first.http_url.rpartition(":")[2])
    output = tmp_path / "sweep.json"
    process = started(
        first, "echo", "--max-batch-size", "2", "--concurrency", "4,8,16", "--output", str(output)
    )
    first.stop()
    second: EmbeddedServer = triton_server(sweep_repository, http_port=port, **options)
    _, err = process.communicate(timeout=100)

    assert process.returncode == 0, err
    measured = read(output).measurements
    assert [m.point.concurrency for m in measured] == [4, 8, 16]
    assert not any(m.failed for m in measured)
    assert max(measured[-1].server[0].batches) == 2
    assert config_of(second, "echo")["max_batch_size"] == 8
    assert not list(state.glob("*.json"))

    page = tmp_path / "sweep.html"
    process = started(
        second,
        *("echo", "--max-batch-size", "2", "--concurrency", "1:99", "--patience", "0s"),
        *("--output", str(output), "--report", str(page)),
    )
    second.stop()
    out, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "did not come back within 0 seconds" in err
    assert "could not be restored" in err
    assert "Traceback" not in err
    assert "max_batch_size 2" in out
    assert read(output).measurements[0].point.concurrency == 1
    assert page.exists()
    assert list(state.glob("*.json"))


def test_a_plan_measures_nothing(explicit, originals):
    result = CliRunner().invoke(
        bench,
        [
            "sweep",
            "pipeline",
            "--url",
            explicit.http_url,
            "--on",
            "echo",
            "--dry-run",
            "--max-batch-size",
            "4,8",
            "--preferred-batch-size",
            "8",
            "--concurrency",
            "1,2",
        ],
    )

    assert result.exit_code == 0, result.output
    assert "max_batch_size 8, preferred_batch_size 8: concurrency 1, concurrency 2" in result.stdout
    assert "left out: max_batch_size 4, preferred_batch_size 8, batch size 1" in result.stdout
    assert "2 points, 2 loads of echo, about 28s" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pipeline", "--instances", "2"], "2 of its models batch dynamically; say with --on"),
        (["pipeline", "--instances", "2", "--on", "other"], "'other' is not what settings can"),
        (["echo", "--threads", "2"], "backend 'python'"),
        (["echo", "--max-queue-delay", "1"], "needs a unit"),
        (["echo", "--set", "optimization"], "--set is PATH=VALUES"),
        (["echo", "--instances", "1,2", "--max-points", "1"], "2 points, more than 1"),
        (["echo", "--resume"], "name the file"),
        (["echo", "--batch-size", "9"], "a request of 9 rows is larger than max_batch_size 8"),
        (["echo", "--stop-above", "slow"], "a target is such as 'p99 < 50ms'"),
    ],
)
def test_refusals(explicit, arguments, message):
    result = CliRunner().invoke(bench, ["sweep", *arguments, "--url", explicit.http_url])

    assert result.exit_code != 0
    assert message in str(result.exception)
