from __future__ import annotations

import sys
import threading
from collections.abc import Mapping

from tritonkit.bench.observe.gpu import Gpus, Reading, read_smi
from tritonkit.bench.observe.observer import Observed, Observers

READINGS = [
    {"GPU-1": Reading(0.0, 100, 50.0), "MIG-2": Reading(None, 7, None)},
    {"GPU-1": Reading(1.0, 300, 150.0), "MIG-2": Reading(None, 7, None)},
]


async def test_utilisation_and_power_are_means_and_memory_is_the_most() -> None:
    """Read at the start and at the end; what the driver does not tell is left out."""
    readings = iter(READINGS)
    gpus = Gpus(interval=60, opener=lambda: lambda: next(readings))
    await gpus.start()
    assert await gpus.stop() == Observed(
        gpu_utilisation={"GPU-1": 0.5},
        gpu_memory_bytes={"GPU-1": 300, "MIG-2": 7},
        gpu_power_watts={"GPU-1": 100.0},
    )


async def test_a_machine_without_gpus_is_looked_at_once() -> None:
    opened: list[int] = []
    gpus = Gpus(interval=60, opener=lambda: opened.append(1))
    for _ in range(2):
        await gpus.start()
        assert await gpus.stop() == Observed()
    assert opened == [1]


async def test_windows_do_not_share_readings() -> None:
    def read() -> Mapping[str, Reading]:
        return now

    now: Mapping[str, Reading] = READINGS[1]
    observers = Observers([Gpus(opener=lambda: read)])
    await observers.start()
    await observers.stop()
    now = READINGS[0]
    await observers.start()
    assert (await observers.stop()).gpu_utilisation == {"GPU-1": 0.0}


async def test_a_window_that_was_never_ended_ends_with_the_next() -> None:
    """As after an error in between; no thread of it goes on reading."""
    gpus = Gpus(interval=0.01, opener=lambda: lambda: READINGS[0])
    for _ in range(3):
        await gpus.start()
    assert sum(thread.name == "observer" for thread in threading.enumerate()) == 1
    assert (await gpus.stop()).gpu_utilisation == {"GPU-1": 0.0}
    assert sum(thread.name == "observer" for thread in threading.enumerate()) == 0


def test_nvidia_smi_is_read_with_what_it_does_not_tell() -> None:
    text = "GPU-1, 37, 1024, 71.25\nGPU-2, [N/A], 3, [Not Supported]\nFailed to initialise\n"
    assert read_smi((sys.executable, "-c", f"print({text!r}, end='')")) == {
        "GPU-1": Reading(0.37, 1024 * 2**20, 71.25),
        "GPU-2": Reading(None, 3 * 2**20, None),
    }
    assert read_smi(("no-such-command",)) == {}
    assert read_smi((sys.executable, "-c", "raise SystemExit(9)")) == {}


def test_later_observers_count_and_none_overwrites_nothing() -> None:
    first = Observed(client_cpu=1.0, gpu_utilisation={"a": 0.1, "b": 0.2}, metrics={"m": 1.0})
    second = Observed(server_cpu=2.0, gpu_utilisation={"b": 0.3})
    both = first.joined(second)
    assert both == Observed(
        client_cpu=1.0,
        server_cpu=2.0,
        gpu_utilisation={"a": 0.1, "b": 0.3},
        metrics={"m": 1.0},
    )
    assert both.usage(9.0, 2).client_cpu == 1.0
    assert Observed().usage(9.0, 2).client_cpu == 9.0
