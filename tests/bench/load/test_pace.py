from __future__ import annotations

import asyncio
from time import perf_counter_ns

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.load.pace import Alarm, Calendar

MS = 1_000_000


@given(
    st.lists(st.integers(0, 50), max_size=30).map(sorted),
    st.integers(1, 7),
    st.lists(st.integers(0, 60), max_size=10).map(sorted),
    st.integers(1, 40),
)
def test_each_arrival_is_due_once_and_in_order(
    arrivals: list[int], size: int, looks: list[int], most: int
) -> None:
    chunks = [np.array(arrivals[i : i + size]) for i in range(0, len(arrivals), size)]
    calendar = Calendar(iter(chunks))
    taken: list[int] = []
    for now in looks:
        due = calendar.take(now, most)
        assert len(due) <= most
        assert all(at <= now for at in due)
        taken += due
        if len(due) < most:
            # All that is due was taken.
            assert calendar.next_ns is None or calendar.next_ns > now
    while calendar.next_ns is not None:
        taken += calendar.take(calendar.next_ns, most)
    assert taken == arrivals


@pytest.mark.parametrize("kernel", [True, False])
async def test_an_alarm_rings_once_and_not_before_its_time(kernel: bool) -> None:
    rung: list[int] = []
    ringing = asyncio.Event()

    def ring() -> None:
        rung.append(perf_counter_ns())
        alarm.set(None)
        ringing.set()

    alarm = Alarm(ring, kernel=kernel)
    start = perf_counter_ns()
    # Replaced before its time, then one that has passed.
    for at_ns in (start + 3600 * 1000 * MS, start + 5 * MS):
        alarm.set(at_ns)
    await ringing.wait()
    # The loop's own timers tick in milliseconds, and may come a tick early.
    assert rung[0] >= start + (5 * MS if kernel else 4 * MS)
    ringing.clear()
    alarm.set(start)
    await ringing.wait()
    await asyncio.sleep(0.005)
    assert len(rung) == 2
    alarm.set(perf_counter_ns() + 2 * MS)
    alarm.close()
    await asyncio.sleep(0.005)
    assert len(rung) == 2
