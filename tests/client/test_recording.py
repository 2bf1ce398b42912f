"""What a cache was asked for, written beside the requests and read back, whole or not."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from tritonkit.client.recordings.recorded import Recorded, read_traces
from tritonkit.client.recordings.recording import RECORD, KeyTrace
from tritonkit.errors import ConfigError


def key(number: int) -> bytes:
    return number.to_bytes(8, "little") + b"the rest"


def recorded(path: Path, rows: int = 3, model: str = "embed") -> Recorded:
    ticks = count(1000)
    trace = KeyTrace(path, clock=lambda: float(next(ticks)))
    for row in range(rows):
        trace.record(model, [key(row), key(row + 1)], [100 + row, 0], [0.5, 0])
    trace.close()
    return read_traces([path])


def test_rows_come_back(tmp_path: Path) -> None:
    read = recorded(tmp_path)
    assert read.times.tolist() == [1001, 1001, 1002, 1002, 1003, 1003]
    assert read.keys.tolist() == [0, 1, 1, 2, 2, 3]
    assert read.sizes.tolist() == [100, 0, 101, 0, 102, 0]
    assert read.seconds.tolist() == [0.5, 0] * 3
    assert (read.names, read.models.tolist()) == (("embed",), [0] * 6)
    assert (len(read), read.distinct, read.span, read.damaged) == (6, 4, 2.0, 0)


def test_names_of_any_length(tmp_path: Path) -> None:
    names = ["", "m", "m" * 24, "m" * 25, "ü" * 100]
    trace = KeyTrace(tmp_path)
    for name in names:
        trace.record(name, [key(1)], [1], [1])
    trace.close()
    assert read_traces([tmp_path]).names == tuple(names)


def test_numpy_reads_it(tmp_path: Path) -> None:
    recorded(tmp_path)
    (path,) = tmp_path.iterdir()
    records = np.fromfile(path, RECORD)
    assert records["kind"].tolist() == [0, 2] + [1] * 6
    assert RECORD.itemsize == 32


def test_a_cut_file_loses_its_last_record_only(tmp_path: Path) -> None:
    recorded(tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        read = read_traces([path])
        assert len(read) == max(0, length // 32 - 2)
        assert read.damaged == (length % 32 > 0)


def test_damage_costs_what_is_damaged(tmp_path: Path) -> None:
    recorded(tmp_path)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[96:128] = bytes(32)  # a page that a power failure left empty
    data[128 + 2] = 7  # a model without a name
    data[160 + 24 : 192] = b"\xff" * 8  # no time
    path.write_bytes(data)
    read = read_traces([path])
    assert (len(read), read.damaged) == (3, 3)


@pytest.mark.parametrize("content", [b"", b"text\n", b"\0" * 64, b"PK" * 64])
def test_what_is_no_trace(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "notes.txt").write_bytes(content)
    for path in (tmp_path / "notes.txt", tmp_path):
        with pytest.raises(ConfigError, match="is no trace of keys"):
            read_traces([path])
    with pytest.raises(ConfigError, match="cannot be read"):
        read_traces([tmp_path / "nowhere"])


def test_another_format_is_told(tmp_path: Path) -> None:
    recorded(tmp_path)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[2] = 2
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"of format 2, but .* reads format 1"):
        read_traces([path])


def test_any_bytes_are_read_or_refused(tmp_path: Path) -> None:
    recorded(tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(3):
            data[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(data)
        try:
            read = read_traces([path])
        except ConfigError:
            continue
        assert len(read) + read.damaged <= 7


PROCESS = """
import os, sys
from tritonkit.client.recordings.recording import KeyTrace

trace = KeyTrace(sys.argv[1])
trace.record("parent", [bytes(16)], [1], [1.0])
pid = os.fork()
if pid == 0:
    trace.record("child", [bytes(16)] * 2, [1, 1], [1.0, 1.0])
    sys.exit()
assert os.waitpid(pid, 0)[1] == 0
trace.record("parent", [bytes(16)], [1], [1.0])
"""


def test_every_process_has_a_file_also_after_a_fork(tmp_path: Path) -> None:
    """And the end of the interpreter writes what is left."""
    processes = [subprocess.Popen([sys.executable, "-c", PROCESS, tmp_path]) for _ in range(2)]
    assert [process.wait(30) for process in processes] == [0, 0]
    read = read_traces([tmp_path])
    assert len(list(tmp_path.iterdir())) == 4
    assert (len(read), read.damaged, sorted(read.names)) == (8, 0, ["child", "parent"])
    assert np.bincount(read.processes).tolist() == [2, 2, 2, 2]
    assert (np.diff(read.times) >= 0).all()


def test_threads(tmp_path: Path) -> None:
    trace = KeyTrace(tmp_path)

    def work() -> None:
        for row in range(1000):
            trace.record("m", [key(row)], [1], [0.1])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trace.close()
    assert (trace.recorded, trace.dropped) == (4000, 0)
    read = read_traces([tmp_path])
    assert np.bincount(read.keys.astype(int)).tolist() == [4] * 1000


def test_it_is_written_while_it_records(tmp_path: Path) -> None:
    trace = KeyTrace(tmp_path)
    trace.record("m", [key(1)], [1], [0.1])
    end = time.monotonic() + 10
    while not [*tmp_path.iterdir()] and time.monotonic() < end:
        time.sleep(0.02)
    assert len(read_traces([tmp_path])) == 1
    trace.close()


def test_what_never_records_leaves_nothing(tmp_path: Path) -> None:
    KeyTrace(tmp_path).close()
    assert [*tmp_path.iterdir()] == []


def test_a_full_disk_ends_the_recording_and_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(file: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tritonkit.client.recordings.recording.os.write", full)
    monkeypatch.setattr("tritonkit.client.recordings.recording._INTERVAL", 0.01)
    trace = KeyTrace(tmp_path)
    with caplog.at_level(logging.WARNING):
        trace.record("m", [key(1)], [1], [0.1])
        end = time.monotonic() + 10
        while not caplog.records and time.monotonic() < end:
            time.sleep(0.01)
        trace.record("m", [key(1)], [1], [0.1])
        trace.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"the recording of keys into {tmp_path} ends: [Errno 28] No space left on device"
    ]


def test_it_ends_at_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tritonkit.client.recordings.recording._INTERVAL", 0.01)
    trace = KeyTrace(tmp_path, limit="1kB")
    end = time.monotonic() + 10
    while not caplog.records and time.monotonic() < end:
        trace.record("m", [key(1)] * 10, [1] * 10, [0.1] * 10)
        time.sleep(0.005)
    trace.close()
    assert "ends: it has reached 1kB" in caplog.text
    assert 20 < len(read_traces([tmp_path])) < 1000


def test_what_cannot_be_recorded_is_counted(tmp_path: Path) -> None:
    trace = KeyTrace(tmp_path)
    trace.record("m", [key(1)], [-1], [0.1])
    trace.record("m", [key(1)], [1], [])
    trace.record("m", [key(1)], [2**40], [1e300])
    assert (trace.recorded, trace.dropped) == (0, 3)
    trace.record("m", [key(1)], [2**40], [0.1])
    trace.close()
    trace.record("m", [key(1)], [1], [0.1])
    trace.close()
    assert read_traces([tmp_path]).sizes.tolist() == [2**32 - 1]


def test_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="cannot be a folder for a trace"):
            KeyTrace(path)
    with pytest.raises(ConfigError, match="limit"):
        KeyTrace(tmp_path, limit="much")
