"""Loads of several processes. Each test of a real one takes a second or two: few are."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.processes import ProcessesLoop
from tritonkit.bench.load.shape import Closed, Load, Open
from tritonkit.bench.record.slices import SliceRecord
from tritonkit.bench.schedule.constant import Constant
from tritonkit.bench.schedule.recorded import Recorded
from tritonkit.bench.targets.blueprint import Blueprint
from tritonkit.client import Tensors
from tritonkit.errors import ConfigError, LoadError
from tritonkit.server import EmbeddedServer

ONES = Workload(items=[Item(inputs={"x": np.ones((1, 4), np.float32)})])


def processes(url: str, load: Load, workload: Workload = ONES, number: int = 2) -> ProcessesLoop:
    return ProcessesLoop(
        Blueprint(url=url, model="echo"), workload, load, processes=number, timeout=30.0
    )


async def test_an_open_loop_of_two_is_that_of_one(server: EmbeddedServer) -> None:
    """Every arrival of the trace once, at its own instant."""
    trace = Recorded(np.arange(101) / 200)
    async with processes(server.http_url, Open(trace)) as load:
        assert len(set(load.pids) - {os.getpid()}) == 2
        await load.until(None)
        await load.settle()
    record = SliceRecord.joined(record for _, record in load.recorder.slices())
    assert (record.latency.count, record.dropped, record.failures) == (101, 0, {})
    counts = {start: slice_.latency.count for start, slice_ in load.recorder.slices()}
    assert counts == {0: 50, 250_000_000: 50, 500_000_000: 1}


async def test_a_closed_loop_by_count_records_exactly_that_many(server: EmbeddedServer) -> None:
    async with processes(server.http_url, Closed(3)) as load:
        at_ns = await load.until(None, requests=51)
    assert load.recorder.ended == 51
    assert 0 < at_ns < load.now_ns


async def test_a_process_that_dies_is_named(server: EmbeddedServer) -> None:
    load = processes(server.http_url, Closed(2))

    async def killed() -> None:
        async with load:
            os.kill(load.pids[1], signal.SIGKILL)
            await load.until(None)

    with pytest.raises(LoadError, match=r"load process 2 of 2 .* killed by signal 9"):
        await killed()
    for pid in load.pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_what_a_process_cannot_do_is_told() -> None:
    wrong = Workload(items=[Item(inputs={"x": np.ones(1, "datetime64[s]")})])
    with pytest.raises(LoadError, match=r"load process 1 of 1 failed: .*datetime64"):
        await processes("http://127.0.0.1:1", Closed(1), wrong, 1).__aenter__()


async def test_an_interrupt_keeps_what_was_recorded(server: EmbeddedServer) -> None:
    """Ctrl-C goes to all processes of a terminal; only the parent decides what it means."""
    interrupt = asyncio.Event()
    load = ProcessesLoop(
        Blueprint(url=server.http_url, model="echo"),
        ONES,
        Open(Constant(100.0)),
        processes=1,
        timeout=1e3,
        slice_seconds=0.001,
        interrupt=interrupt,
    )
    async with load:
        for pid in load.pids:
            os.kill(pid, signal.SIGINT)
        await load.until(0.2)
        interrupt.set()
        end_ns = await load.until(None)
        # While whoever measures looks at the server, it goes on, and nothing of it counts.
        await asyncio.sleep(0.1)
    assert load.recorder.ended > 0
    assert load.recorder.slices()[-1][0] < end_ns


PARENT = """\
    import asyncio
    import numpy as np
    from tritonkit.bench.inputs.workload import Item, Workload
    from tritonkit.bench.load.processes import ProcessesLoop
    from tritonkit.bench.load.shape import Closed
    from tritonkit.bench.targets.blueprint import Blueprint

    async def main():
        items = [Item(inputs={"x": np.ones((1, 4), np.float32)})]
        blueprint = Blueprint(url="http://127.0.0.1:PORT", model="echo")
        load = ProcessesLoop(
            blueprint, Workload(items=items), Closed(1), processes=1, timeout=30.0
        )
        async with load:
            print(load.pids[0], flush=True)
            THEN

    if __name__ == "__main__":
        asyncio.run(main())
"""


def parent_script(folder: Path, port: int, then: str) -> Path:
    script = folder / "parent.py"
    text = textwrap.dedent(PARENT).replace("PORT", str(port)).replace("THEN", then)
    script.write_text(text)
    return script


def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path, unused_tcp_port: int) -> None:
    script = parent_script(tmp_path, unused_tcp_port, "await load.until(None)")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) != parent.pid
        parent.kill()
        # The child has this pipe as well, which ends when it does.
        assert parent.stdout.read() == b""


def test_the_first_process_of_a_program_hears_no_ctrl_c(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    """What multiprocessing starts beside it must not lift the mask that it inherits."""
    then = "__import__('os').kill(load.pids[0], 2); await load.until(0.2)"
    script = parent_script(tmp_path, unused_tcp_port, then)
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def not_picklable() -> Item:
    def check(outputs: Tensors) -> str | None:
        return None

    return Item(inputs={"x": np.ones((1, 4), np.float32)}, check=check)


async def test_what_cannot_be_handed_over_is_refused() -> None:
    workload = Workload(items=[not_picklable()])
    with pytest.raises(ConfigError, match="cannot be handed to other processes"):
        await processes("http://127.0.0.1:1", Closed(1), workload, 1).__aenter__()


@pytest.mark.parametrize(
    ("load", "number"), [(Closed(2), 3), (Closed(2), 0), (Open(Constant(1), max_in_flight=1), 2)]
)
def test_a_number_of_processes_that_cannot_be_is_refused(load: Load, number: int) -> None:
    with pytest.raises(ConfigError, match="processes must be at least 1 and at most"):
        processes("http://127.0.0.1:1", load, number=number)
