from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tritonkit.bench.report.json import read
from tritonkit.cli import main
from tritonkit.server import EmbeddedServer


def bench_run(*arguments: str, url: str) -> Result:
    """In this process: a new one takes a second to start."""
    done = CliRunner().invoke(main, ["bench", "run", "--url", url, *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def bench_run_of_its_own(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tritonkit", "bench", "run", "--url", url, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def answered(url: str, model: str) -> int:
    with urllib.request.urlopen(f"{url}/v2/models/{model}/stats") as reply:
        count = json.load(reply)["model_stats"][0]["inference_stats"]["success"]["count"]
        assert isinstance(count, int)
        return count


def await_load(url: str, model: str) -> None:
    """Wait until somebody has sent the model a hundred requests from now on."""
    started = answered(url, model)
    while answered(url, model) < started + 100:
        time.sleep(0.05)


def test_an_ensemble_is_measured_with_its_models(server: EmbeddedServer, tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    done = bench_run_of_its_own(
        *("pipeline", "--concurrency", "1,4", "--batch-size", "2", "--requests", "20"),
        *("--warmup", "0s", "--percentile", "99.5", "--output", str(output)),
        url=server.http_url,
    )
    assert done.returncode == 0, done.stderr
    for shown in ("p99.5", "p99.9", "pipeline", "echo", "copy", "triton 2."):
        assert shown in done.stdout
    # No progress where nobody watches.
    assert done.stderr == f"written to {output}\n"

    result = json.loads(output.read_text(encoding="utf-8"))
    assert set(result["conditions"]["config_digests"]) == {"pipeline", "echo", "copy"}
    assert [run["point"]["load"]["concurrency"] for run in result["measurements"]] == [1, 4]
    for run in result["measurements"]:
        assert run["requests"] == 20
        latency = run["latency"]
        assert latency["min_us"] <= latency["percentiles_us"]["p50"] <= latency["max_us"]
        assert [times["model"] for times in run["server"]] == ["pipeline", "echo", "copy"]
        # Read under load: what is in flight at the window's edges counts or does not.
        slack = 2 * run["point"]["load"]["concurrency"]
        for times in run["server"]:
            rows = sum(int(size) * count for size, count in times["batches"].items())
            assert abs(rows - times["inferences"]) <= slack
            assert times["inferences"] >= 40 - slack
        assert run["server"][1]["compute_infer"]["ns"] > 0


def test_an_open_loop_is_measured_and_written_as_the_ending_says(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    document, page = tmp_path / "run.json", tmp_path / "run.md"
    done = bench_run_of_its_own(
        *("echo", "--rate", "40,80", "--arrivals", "constant", "--requests", "20"),
        *("--warmup", "0s", "--goodput", "10s", "--output", str(document), "--output", str(page)),
        url=server.http_url,
    )
    assert done.returncode == 0, done.stderr
    assert "open loop (constant); latency from the intended start" in done.stdout
    result = json.loads(document.read_text(encoding="utf-8"))
    assert [run["intended"] for run in result["measurements"]] == [20, 20]
    assert [run["requests"] for run in result["measurements"]] == [20, 20]
    assert "--rate 40,80" in result["conditions"]["command"]
    assert "echo" in page.read_text(encoding="utf-8")


def test_texts_need_no_flag(server: EmbeddedServer) -> None:
    done = bench_run("text", "--requests", "10", "--warmup", "0s", url=server.http_url)
    assert done.exit_code == 0, done.stderr
    assert "texts in shuffled order" in done.stdout


def test_given_inputs_are_sent(server: EmbeddedServer, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.write_text("one\ntwo\n", encoding="utf-8")
    done = bench_run(
        *("text", "--requests", "4", "--warmup", "0s", "--text", f"@{texts}", "--identical"),
        url=server.http_url,
    )
    assert done.exit_code == 0, done.stderr
    assert "2 texts" in done.stdout
    done = bench_run(
        *("echo", "--requests", "4", "--warmup", "0s", "--input", "x=[[1, 2, 3, 4]]"),
        url=server.http_url,
    )
    assert done.exit_code == 0, done.stderr
    assert "given" in done.stdout


def test_a_share_of_failures_is_reported_and_is_no_failure(server: EmbeddedServer) -> None:
    done = bench_run("flaky", "--requests", "30", "--warmup", "0s", url=server.http_url)
    assert done.exit_code == 0, done.stderr
    assert "10 (33.3%)" in done.stdout
    assert "10 times InferenceFailed, the first: " in done.stdout


def test_a_model_that_always_fails_ends_the_sweep_with_the_reason(server: EmbeddedServer) -> None:
    done = bench_run(
        *("broken", "--concurrency", "1,2", "--requests", "5", "--warmup", "0s"),
        url=server.http_url,
    )
    assert done.exit_code == 1
    assert "every request to 'broken' failed: InferenceFailed (5 times)" in done.stderr
    assert "the model fails on purpose" in done.stderr


def test_a_window_shorter_than_a_request_says_so(
    server: EmbeddedServer, gate: Callable[[], bool]
) -> None:
    done = bench_run(
        *("held", "--duration", "50ms", "--warmup", "0s", "--timeout", "2s"), url=server.http_url
    )
    assert done.exit_code == 1
    assert "longer --duration" in done.stderr


def test_a_measurement_without_an_answer_is_told_wherever_it_was(server: EmbeddedServer) -> None:
    """Of 1 request a second none is due within 100 ms; the second measurement gets answers."""
    done = bench_run(
        *("echo", "--rate", "1,200", "--duration", "100ms", "--warmup", "0s", "--seed", "1"),
        url=server.http_url,
    )
    assert done.exit_code == 1
    assert "no request to 'echo' was due within 100ms of 1/s, Poisson" in done.stderr
    assert "200/s" in done.stdout


def test_results_are_kept_where_an_output_can_no_longer_be_written(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that became full: a folder is in the way, which was not there before."""
    folder, page = tmp_path / "run.json", tmp_path / "run.md"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("tritonkit.bench.report.json.check_writable", lambda path: None)
    folder.mkdir()
    done = bench_run(
        *("echo", "--requests", "5", "--warmup", "0s"),
        *("--output", str(folder), "--output", str(page)),
        url=server.http_url,
    )
    assert done.exit_code == 2
    assert "run.json cannot be written" in done.stderr
    (kept,) = tmp_path.glob("tritonkit-bench-*.json")
    assert f"the results are kept in {kept}" in done.stderr
    assert read(kept).measurements[0].requests == 5
    assert page.exists()
    assert "echo, closed loop" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing"], 1, "'missing'"),
        (["echo", "--batch-size", "9"], 2, "batch size must be 1 to 8"),
        (["echo", "--shape", "y:1"], 2, "no input 'y'"),
        (["echo", "--shape", "x"], 2, "NAME:DIMS"),
        (["echo", "--concurrency", "0"], 2, "concurrency"),
        (["echo", "--concurrency", "4:1"], 2, "end before it starts"),
        (["echo", "--duration", "10"], 2, "needs a unit"),
        (["echo", "--duration", "0s"], 2, "duration must be positive"),
        (["echo", "--percentile", "101"], 2, "percentile"),
        (["echo", "--output", "missing/result.json"], 2, "does not exist"),
        (["echo", "--output", "result.txt"], 2, ".html, .csv, .md"),
        (["echo", "--rate", "5", "--concurrency", "2"], 2, "leave one out"),
    ],
)
def test_wrong_arguments_are_one_clear_line(
    server: EmbeddedServer, arguments: list[str], code: int, message: str
) -> None:
    done = bench_run(*arguments, url=server.http_url)
    assert done.exit_code == code
    assert message in done.stderr


def test_a_dead_server_is_one_clear_line(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    done = bench_run("echo", url=url)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"Error: cannot connect to {url}")


def interrupted_run(url: str, output: Path, warmup: str) -> tuple[str, str]:
    """What a run of two points prints that Ctrl-C ends once the load is there."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tritonkit", "bench", "run", "echo", "--url", url),
            *("--concurrency", "1,2", "--duration", "60s", "--warmup", warmup),
            *("--output", str(output)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    await_load(url, "echo")
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    return stdout, stderr


def test_ctrl_c_in_the_warm_up_keeps_nothing(server: EmbeddedServer, tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    stdout, stderr = interrupted_run(server.http_url, output, warmup="60s")
    assert "measurements kept: 0 of 2" in stderr
    assert stdout == ""
    assert not output.exists()


def test_ctrl_c_keeps_what_was_measured(server: EmbeddedServer, tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    stdout, stderr = interrupted_run(server.http_url, output, warmup="0s")
    assert "measurements kept: 1 of 2" in stderr
    assert "interrupted after" in stdout
    (run,) = json.loads(output.read_text(encoding="utf-8"))["measurements"]
    assert run["interrupted"]
    assert run["requests"] > 0
    assert run["seconds"] < 60
