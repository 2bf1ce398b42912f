"""
The open loop against a target in this process, whose answers come when a test says so.

Counts and instants follow from the schedule alone, whatever the machine has to do.
"""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.open import OpenLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.load.share import Share
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.record.slices import SliceRecord
from tritonkit.bench.record.summary import cut
from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.bench.schedule.constant import Constant
from tritonkit.bench.schedule.poisson import Poisson
from tritonkit.bench.schedule.recorded import Recorded
from tritonkit.bench.targets.http import HttpTarget
from tritonkit.bench.targets.target import Channel, Target
from tritonkit.client import Tensors
from tritonkit.errors import ConfigError, InferenceFailed
from tritonkit.server import EmbeddedServer

ITEMS = [Item(inputs={"x": np.full((1, 4), number, np.float32)}) for number in range(3)]


class Held(Target):
    """Answers when the gate is open; fails with what it is told to fail with."""

    def __init__(self, error: Exception | None = None) -> None:
        self.gate = asyncio.Event()
        self.error = error
        self.channels = 0
        self.sent: list[int] = []

    def prepare(self, item: Item) -> int:
        return int(np.asarray(item.inputs["x"]).flat[0])

    async def channel(self) -> Channel:
        self.channels += 1
        return HeldChannel(self)

    def outputs(self, answer: Any) -> Tensors:
        return {"y": np.array([answer])}


class HeldChannel(Channel):
    def __init__(self, target: Held) -> None:
        self.target = target

    async def send(self, payload: Any, deadline: float) -> Any:
        self.target.sent.append(payload)
        await self.target.gate.wait()
        if self.target.error is not None:
            raise self.target.error
        return payload

    def close(self) -> None:
        return


def open_loop(
    target: Target, arrivals: Arrivals, items: list[Item] | None = None, **options: Any
) -> OpenLoop:
    requests = Requests.prepare(target, Workload(items=items or ITEMS))
    return OpenLoop(requests, arrivals=arrivals, timeout=options.pop("timeout", 30.0), **options)


def recorded(recorder: Recorder) -> SliceRecord:
    return SliceRecord.joined(record for _, record in recorder.slices())


async def test_what_comes_while_all_wait_is_dropped_and_never_sent_later() -> None:
    target = Held()
    trace = Recorded(np.arange(10) / 1000)
    async with open_loop(target, trace, max_in_flight=4) as load:
        while load.recorder.dropped_count < 6:
            await load.until(load.now_ns / 1e9 + 0.001)
        target.gate.set()
        await load.until(None)
    record = recorded(load.recorder)
    assert (record.latency.count, record.dropped) == (4, 6)
    # The items of dropped requests are dropped with them.
    assert target.sent == [0, 1, 2, 0]


async def test_latency_counts_from_the_intended_start_and_service_from_the_sending() -> None:
    """The event loop stands still for 50 ms from the start on."""
    target = Held()
    target.gate.set()
    async with open_loop(target, Recorded([0.0, 0.01])) as load:
        while load.now_ns < 50_000_000:
            pass
        await load.until(None)
    record = recorded(load.recorder)
    assert record.latency.count == 2
    assert record.latency.min_ns >= 40_000_000
    assert record.latency.max_ns >= 50_000_000
    # Lateness is the difference.
    assert record.late.min_ns >= 40_000_000
    assert record.late.max_ns + record.service.max_ns >= record.latency.max_ns


async def test_an_outcome_belongs_to_its_intended_start() -> None:
    """The second slice's requests are answered in a later one."""
    target = Held()
    async with open_loop(target, Recorded([0.1, 0.26, 0.27])) as load:
        await load.until(0.6)
        target.gate.set()
        await load.until(None)
    assert [cut(load.recorder, s, s + 1).latency.count for s in (0, 250_000_000)] == [1, 2]
    assert len(load.recorder.slices()) == 2


async def test_a_channel_is_used_again_before_another_is_opened() -> None:
    target = Held()
    target.gate.set()
    async with open_loop(target, Recorded(np.arange(1, 20) / 500)) as load:
        await load.until(None)
    assert load.ended == 19
    # One, unless this machine kept answers waiting for the next arrivals.
    assert target.channels < 19


async def test_settling_waits_for_what_came_before_it_while_the_load_goes_on() -> None:
    target = Held()
    async with open_loop(target, Constant(200.0)) as load:
        await load.until(0.1)
        settling = asyncio.create_task(load.settle())
        await load.until(0.15)
        assert not settling.done()
        target.gate.set()
        await settling
        assert load.ended >= 20
        await load.until(load.now_ns / 1e9 + 0.05)
    assert load.ended > 30


async def test_settling_waits_for_arrivals_that_the_event_loop_has_not_heard_of() -> None:
    """It stands still until all but the last have come."""
    target = Held()
    target.gate.set()
    async with open_loop(target, Recorded([*np.arange(200) / 10_000, 60.0])) as load:
        while load.now_ns < 30_000_000:
            pass
        await load.settle()
        assert load.ended == 200


async def test_what_the_loop_never_came_to_is_dropped_and_counted() -> None:
    """More has come than can start before settling ends: a load that one core cannot make."""
    interrupt = asyncio.Event()
    load = open_loop(
        Held(), Constant(400_000.0), max_in_flight=1, timeout=1e-6, interrupt=interrupt
    )
    async with load:
        while load.now_ns < 100_000_000:
            pass
        come = load.now_ns * 400_000 // 10**9
        await load.settle()
        # All but the one in flight.
        assert load.recorder.dropped_count >= come - 1
        interrupt.set()


async def test_settling_lasts_as_long_as_a_request_may() -> None:
    interrupt = asyncio.Event()
    async with open_loop(Held(), Recorded([0.0]), timeout=0.05, interrupt=interrupt) as load:
        await load.until(0.01)
        await load.settle()
        assert load.ended == 0
        interrupt.set()


async def test_more_connections_than_the_system_allows_are_failures_that_say_so(
    few_files: int,
) -> None:
    interrupt = asyncio.Event()
    arrivals = Recorded([0.0] * few_files)
    async with open_loop(Held(), arrivals, interrupt=interrupt) as load:
        await load.until(0.1)
        record = recorded(load.recorder)
        assert record.failures == {"NotConnected": 64}
        assert "ulimit -n" in load.recorder.first_message("NotConnected")
        interrupt.set()


async def test_failures_are_recorded_and_the_schedule_goes_on() -> None:
    target = Held(InferenceFailed("on purpose"))
    target.gate.set()
    async with open_loop(target, Recorded(np.arange(8) / 500)) as load:
        await load.until(None)
    assert recorded(load.recorder).failures == {"InferenceFailed": 8}


async def test_a_fault_of_the_target_ends_the_load() -> None:
    target = Held(ZeroDivisionError("a fault"))
    target.gate.set()
    with pytest.raises(ZeroDivisionError):
        async with open_loop(target, Constant(500.0)) as load:
            await load.until(None)


async def test_nobody_there_is_a_failure_for_each_arrival(unused_tcp_port: int) -> None:
    target = HttpTarget(f"http://127.0.0.1:{unused_tcp_port}", "m")
    async with open_loop(target, Recorded(np.arange(20) / 500)) as load:
        await load.until(None)
    assert recorded(load.recorder).failures == {"NotConnected": 20}


async def test_wrong_answers_are_failures() -> None:
    def two(outputs: Tensors) -> str | None:
        return "it is two" if outputs["y"][0] == 2 else None

    target = Held()
    target.gate.set()
    items = [Item(inputs=item.inputs, check=two) for item in ITEMS]
    async with open_loop(target, Recorded(np.arange(9) / 500), items) as load:
        await load.until(None)
    record = recorded(load.recorder)
    assert (record.latency.count, record.failures) == (6, {"WrongAnswer": 3})


async def test_shares_send_together_what_one_would_send() -> None:
    """Each arrival of a random schedule once, with the item that it has in the order."""
    offsets = next(Poisson(300.0).offsets(4))[:60] / 1e9
    whole = Recorder()
    for number in range(3):
        target = Held()
        target.gate.set()
        async with open_loop(target, Recorded(offsets), share=Share(number, 3)) as load:
            await load.until(None)
        # Three items in turn: each process gets one of them alone.
        assert target.sent == [number] * 20
        whole.merge(load.recorder)
    counts = np.bincount((offsets // 0.25).astype(int))
    assert [slice_.latency.count for _, slice_ in whole.slices()] == counts.tolist()


@pytest.mark.parametrize("options", [{"max_in_flight": 0}, {"timeout": 0.0}])
def test_a_load_that_cannot_run_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        open_loop(Held(), Constant(1.0), **options)


async def test_a_real_server_gets_each_request_of_a_schedule(server: EmbeddedServer) -> None:
    async with open_loop(
        HttpTarget(server.http_url, "flaky"), Recorded(np.arange(90) / 600)
    ) as load:
        await load.until(None)
    record = recorded(load.recorder)
    # Every third fails; others may have called the model before.
    assert record.failures["InferenceFailed"] == 30
    assert record.latency.count == 60


async def test_an_interrupt_accounts_for_what_still_waits() -> None:
    """Left out, the longest waits would be: of a server that stands still, all of them."""
    target, interrupt = Held(), asyncio.Event()
    async with open_loop(target, Recorded([0.0, 0.01, 0.02, 9.0]), interrupt=interrupt) as load:
        while len(target.sent) < 3:
            await load.until(load.now_ns / 1e9 + 0.001)
        interrupt.set()
        end = await load.until(None)
    assert load.recorder.end_ns == end
    record = recorded(load.recorder)
    assert (record.latency.count, record.dropped) == (0, 0)
    assert record.failures == {"Unanswered": 3}


async def test_what_was_due_and_never_sent_is_dropped() -> None:
    """A generator that is too slow for its schedule does not shorten it."""
    target, recorder = Held(), Recorder(end_ns=400_000_000)
    target.gate.set()
    async with open_loop(target, Recorded(np.arange(1000) / 1000), recorder=recorder) as load:
        # From here on no turn of the event loop comes before the end.
        while load.now_ns < 500_000_000:
            pass
    record = recorded(recorder)
    assert record.latency.count + record.dropped == 400
    assert record.dropped > 0
