from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.observe.listening import is_local, listeners, listening_ports
from tritonkit.bench.observe.observer import Observed
from tritonkit.bench.observe.processes import Account, Processes, Reading, read_process, trees
from tritonkit.client.wire.address import Address


def at(port: int) -> Address:
    return Address("http", "127.0.0.1", port)


# Listens, and has a child that is told apart by nothing; both compute for as long as told.
SERVER = """
import os, socket, sys, time
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
sys.stdin.readline()
os.fork()
end = time.process_time() + 0.2
while time.process_time() < end:
    pass
print("done", flush=True)
time.sleep(60)
"""


@pytest.fixture
def worker() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server that waits for a word, and its port."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
        os.killpg(process.pid, 9)


async def test_a_server_of_several_processes_is_found_by_its_port(
    worker: tuple[subprocess.Popen[str], int],
) -> None:
    """It is a child of this process, and counts as the server all the same."""
    process, port = worker
    assert listeners(at(port)) == {process.pid}
    assert port in listening_ports({process.pid})
    processes = Processes(lambda: listeners(at(port)), interval=0.05)
    await processes.start()
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    for _ in range(2):
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)
    seen = await processes.stop()
    assert seen.server_cpu is not None
    assert seen.client_cpu is not None
    # 0.2 s of processor time each, in a window that is no shorter; the system counts in
    # ticks of 10 ms. What this process itself took in the meantime is no part of it.
    assert seen.server_rss_bytes is not None
    assert 0 < seen.server_rss_bytes < 200e6
    window = processes._ended - processes._begun
    assert seen.server_cpu * window == pytest.approx(0.4, abs=0.06)


async def test_a_server_elsewhere_and_a_system_without_proc_tell_nothing(tmp_path: Path) -> None:
    alone = Processes()
    await alone.start()
    seen = await alone.stop()
    assert (seen.server_cpu, seen.server_rss_bytes) == (None, None)
    assert seen.client_rss_bytes is not None
    blind = Processes(proc=tmp_path / "missing")
    await blind.start()
    assert await blind.stop() == Observed()


async def test_a_server_in_this_process_cannot_be_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert listeners(at(port)) == {os.getpid()}
        processes = Processes(lambda: listeners(at(port)))
        await processes.start()
        assert (await processes.stop()).server_cpu is None
    assert listeners(at(port)) == frozenset()


@pytest.mark.parametrize(
    ("comm", "command"),
    [
        ("docker-proxy", b""),
        ("nginx", b"nginx: master process nginx"),
        ("exe", b"/usr/bin/rootlessport\0--port"),
        ("toxiproxy-serve", b"toxiproxy-server"),
    ],
)
def test_a_forwarder_is_no_server(tmp_path: Path, comm: str, command: bytes) -> None:
    """It listens for a server in a container or elsewhere; its processor time says nothing."""
    (tmp_path / "net").mkdir()
    line = "   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:0 0 0 0 77 1"
    (tmp_path / "net" / "tcp").write_text(f"header\n{line}\n")
    (tmp_path / "12" / "fd").mkdir(parents=True)
    (tmp_path / "12" / "fd" / "3").symlink_to("socket:[77]")
    (tmp_path / "12" / "comm").write_text("tritonserver\n")
    assert listeners(at(8000), tmp_path) == {12}
    assert listeners(at(8001), tmp_path) == frozenset()
    (tmp_path / "12" / "comm").write_text(f"{comm}\n")
    (tmp_path / "12" / "cmdline").write_bytes(command)
    assert listeners(at(8000), tmp_path) == frozenset()


# As /proc/net/tcp and tcp6 write them: 127.0.0.1, 127.0.0.2, any; ::ffff:127.0.0.1, ::1, any.
ONE, TWO, ANY = "0100007F", "0200007F", "00000000"
MAPPED, SIX, ANY_SIX = (
    "0000000000000000FFFF00000100007F",
    "00000000000000000000000001000000",
    "0" * 32,
)


@pytest.mark.skipif(sys.byteorder == "big", reason="the addresses are those of little endians")
@pytest.mark.parametrize(
    ("host", "sockets", "found"),
    [
        ("127.0.0.1", [ONE, TWO], {1}),
        ("127.0.0.2", [ONE, TWO], {2}),
        ("127.0.0.2", [ONE, ANY], {2}),
        ("127.0.0.1", [ONE, ANY], {1}),
        ("127.0.0.1", [TWO, ANY_SIX], {2}),
        ("127.0.0.1", [TWO, MAPPED], {2}),
        ("127.0.0.1", [TWO, SIX], set()),
        ("::1", [ONE, SIX], {2}),
        ("::1", [ONE, ANY], set()),
        ("127.0.0.1", [ONE, ONE], {1, 2}),
    ],
)
def test_the_server_is_the_one_at_the_address(
    tmp_path: Path, host: str, sockets: list[str], found: set[int]
) -> None:
    """Another server may have the same port of another address of this machine."""
    (tmp_path / "net").mkdir()
    tables: dict[str, list[str]] = {"tcp": ["header"], "tcp6": ["header"]}
    for pid, text in enumerate(sockets, start=1):
        tables["tcp6" if len(text) > 8 else "tcp"].append(
            f"0: {text}:1F40 0:0000 0A 0:0 00:0 0 0 0 {70 + pid} 1"
        )
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "fd" / "3").symlink_to(f"socket:[{70 + pid}]")
    for name, lines in tables.items():
        (tmp_path / "net" / name).write_text("\n".join(lines))
    assert listeners(Address("http", host, 8000), tmp_path) == found


def test_this_machine_is_known_by_its_names() -> None:
    assert is_local("localhost")
    assert is_local("127.0.0.1")
    # Of a block that is kept for documentation.
    assert not is_local("192.0.2.1")
    assert not is_local("no-such-host.invalid")


def test_a_process_whose_name_is_awkward_is_read(tmp_path: Path) -> None:
    (tmp_path / "5").mkdir()
    fields = ["S", "4", *"0" * 9, "30", "70", *"0" * 6, "1234", "0", "8", *"0" * 20]
    (tmp_path / "5" / "stat").write_text(f"5 (a ) b (c) {' '.join(fields)}\n")
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    assert read_process(5, tmp_path) == Reading(4, 1234, 100 / ticks, 8 * page)
    assert read_process(6, tmp_path) is None


def test_a_tree_leaves_out_what_belongs_to_another() -> None:
    parents = {1: 0, 2: 1, 3: 2, 4: 2, 5: 4, 6: 1}
    assert trees([2], parents) == {2, 3, 4, 5}
    assert trees([2], parents, without=[4]) == {2, 3}
    assert trees([9], parents) == frozenset()


@given(st.lists(st.floats(0, 100), min_size=2, max_size=20).map(sorted), st.integers(1, 19))
def test_processor_time_is_counted_from_the_first_reading(cpu: list[float], comes: int) -> None:
    """A process that came later counts in full; one that ended keeps what it had."""
    account = Account()
    for moment, seconds in enumerate(cpu):
        readings = {1: Reading(0, 1, seconds, 100)}
        if moment >= comes:
            readings[2] = Reading(1, 2, seconds, 50)
        account.add(readings)
    late = cpu[-1] if comes < len(cpu) else 0.0
    assert account.cpu == pytest.approx(cpu[-1] - cpu[0] + late)
    account.add({1: Reading(0, 1, cpu[-1], 100)})
    assert account.cpu == pytest.approx(cpu[-1] - cpu[0] + late)
    assert account.most_rss_bytes == (150 if comes < len(cpu) else 100)
