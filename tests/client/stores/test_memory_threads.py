"""The store in this process, under threads and across forks."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from tritonkit.client.stores.memory import Memory
from tritonkit.client.stores.store import Entry

KEYS = [bytes([number]) * 16 for number in range(2)]


def entry(size=4, value=0.0):
    return Entry({"y": np.full((1, size), value, np.float32)}, time.monotonic())


def put(memory, entries, lifetime=60.0):
    """Without an event loop: nothing in it waits."""
    with pytest.raises(StopIteration):
        memory.put("model", entries, lifetime).send(None)


def test_serves_eight_threads():
    """Two seconds of reads, writes, expiries and clears: right answers within the budget."""
    memory = Memory("200kB")
    end = time.monotonic() + 2.0
    failures = []
    interval = sys.getswitchinterval()

    def work(seed):
        random = np.random.default_rng(seed)
        try:
            while time.monotonic() < end:
                numbers = random.integers(0, 500, 8).tolist()
                keys = {number.to_bytes(16, "big"): number for number in numbers}
                for key, found in zip(keys, memory.now("", list(keys)), strict=True):
                    if found is not None:
                        assert found.outputs["y"].tolist() == [[keys[key]] * (keys[key] % 90)]
                made = {k: entry(n % 90, n) for k, n in keys.items()}
                put(memory, made, float(random.choice([0.001, 0.01, 60.0])))
                assert memory.nbytes <= memory.size
                if random.random() < 0.001:
                    memory.clear()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    assert failures == []
    assert memory.hits > 0
    assert memory.nbytes == sum(node.size for node in memory._policy._nodes.values())


def in_child(check):
    """Whether *check* holds in a fork of this process; ends by itself after 10 s."""
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads; that is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        try:
            os._exit(0 if check() else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def works(memory):
    put(memory, {KEYS[1]: entry(value=7)})
    (found,) = memory.now("", [KEYS[1]])
    return found.outputs["y"][0, 0] == 7


def test_child_has_what_the_parent_had():
    """A fork copies the entries; each process goes on with its own."""
    memory = Memory("1MB")
    put(memory, {KEYS[0]: entry()})

    assert in_child(lambda: memory.now("", [KEYS[0]])[0] is not None and works(memory))
    assert len(memory) == 1


def test_fork_amid_a_write_leaves_the_child_a_working_store():
    """The writing thread is not in the child: its lock is made anew, and its store is empty."""
    memory = Memory("1MB")
    put(memory, {KEYS[0]: entry()})
    locked, done = threading.Event(), threading.Event()

    def write():
        with memory._lock:
            locked.set()
            done.wait(30)

    thread = threading.Thread(target=write)
    thread.start()
    locked.wait(30)
    try:
        assert in_child(lambda: memory.now("", [KEYS[0]]) == [None] and works(memory))
    finally:
        done.set()
        thread.join()
    assert memory.now("", [KEYS[0]]) != [None]
