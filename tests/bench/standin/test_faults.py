"""What a run keeps when its server or its disk fails."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.open import OpenLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.record.summary import cut, failures_of
from tritonkit.bench.schedule.constant import Constant
from tritonkit.bench.targets.http import HttpTarget


def bench_run(standin: Any, *arguments: str, blocks: int) -> Any:
    """`tritonkit bench run` in a shell that lets no file grow above a limit, in blocks."""
    return subprocess.run(
        [
            *("sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh"),
            *(sys.executable, "-m", "tritonkit", "bench", "run", standin.model),
            *("--url", standin.url, "--concurrency", "2", "--requests", "20", "--warmup", "0s"),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_server_that_dies_leaves_what_was_measured(another_standin: Any) -> None:
    """What was in flight breaks, what comes later finds nobody, and all of it is counted."""
    another_standin.play(service=["constant", 0.1])
    target = HttpTarget(another_standin.url, another_standin.model)
    item = Item(inputs={"x": np.zeros((1, 4), dtype=np.float32)})
    requests = Requests.prepare(target, Workload(items=[item]))
    async with OpenLoop(requests, arrivals=Constant(200), timeout=5.0) as loop:
        await loop.until(0.5)
        another_standin.process.send_signal(signal.SIGKILL)
        await loop.until(1.0)
        await loop.settle()
    record = cut(loop.recorder, 0, 10**9)
    failures = {failure.kind: failure for failure in failures_of(loop.recorder, record)}
    assert failures.keys() == {"ServerUnavailable", "NotConnected"}
    assert "refused" in failures["NotConnected"].first
    # Of 100 ms at 200/s, of which half a second was served, eighty were answered and twenty are in
    # flight; a machine with other work may have held some back.
    assert failures["ServerUnavailable"].count >= 1
    assert record.latency.count >= 50
    assert record.latency.count + sum(f.count for f in failures.values()) == 200
    assert record.dropped == 0


async def test_an_interrupt_ends_an_open_loop_at_once(standin: Any) -> None:
    """Nobody answers and the timeout is far; what is in flight is given up, and accounted for."""
    standin.play(silent=True)
    interrupt = asyncio.Event()
    target = HttpTarget(standin.url, standin.model)
    item = Item(inputs={"x": np.zeros((1, 4), dtype=np.float32)})
    requests = Requests.prepare(target, Workload(items=[item]))
    asyncio.get_running_loop().call_later(0.2, interrupt.set)
    async with asyncio.timeout(20):
        async with OpenLoop(
            requests, arrivals=Constant(200), timeout=60.0, interrupt=interrupt
        ) as loop:
            end_ns = await loop.until(60.0)
            await loop.settle()
    record = cut(loop.recorder, 0, 10**12)
    # One is due every 5 ms, the first at the start.
    assert record.failures == {"Unanswered": -(-end_ns // 5_000_000)}
    assert record.latency.count == 0


def test_a_full_disk_is_one_clear_line_after_the_figures(standin: Any, tmp_path: Path) -> None:
    """The table is told all the same, what stood there stays, and nothing half lies about."""
    output = tmp_path / "run.json"
    output.write_text("what stood there")
    done = bench_run(standin, "--output", str(output), blocks=1)
    assert done.returncode == 2, done.stderr
    assert "p99" in done.stdout
    assert "Traceback" not in done.stderr
    assert f"the output {output} cannot be written" in done.stderr
    assert [path.read_text() for path in tmp_path.iterdir()] == ["what stood there"]
