"""What a whole measurement reports, against a server that knows its own figures."""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import Any

import numpy as np
import pytest

from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.shape import Closed, Load, Open
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.observe.around import observers_of
from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.plan import Plan
from tritonkit.bench.schedule.constant import Constant
from tritonkit.bench.schedule.poisson import Poisson
from tritonkit.bench.session import Session
from tritonkit.bench.targets.http import HttpTarget

WARMUP = 0.5
WORKLOAD = Workload(
    items=[Item(inputs={"x": np.full((1, 4), number, dtype=np.float32)}) for number in range(1024)]
)


async def measured(standin: Any, load: Load, **plan: Any) -> Measurement:
    target = HttpTarget(standin.url, standin.model)
    async with (
        await ServedModel.connect(standin.url, standin.model) as served,
        Session(
            target,
            WORKLOAD,
            Plan(warmup=WARMUP, timeout=10.0, **plan),
            served=served,
            observer=await observers_of(served.address),
        ) as session,
    ):
        return await session.measure(Point(load=load))


async def test_an_open_loop_is_reported_as_it_was(standin: Any) -> None:
    """
    Percentiles within 2 % of the truth, counts exactly, and the server's own account.

    The truth counts from the schedule; the load began when the request that came soonest
    after its time was due. Every 20th request fails and every 31st loses its connection:
    they are counted by kind, and have no latency.
    """
    arrivals = Poisson(200)
    wrong = ""
    # A busy machine can only take the figures away from the truth.
    for _ in range(5):
        standin.play(
            service=["lognormal", 0.1, 0.5], servers=30, seed=5, fail_every=20, close_every=31
        )
        run = await measured(standin, Open(arrivals), duration=1.0, seed=1)
        log = standin.log().by_tag()
        offsets = np.fromiter(chain.from_iterable(arrivals.offsets(1)), np.int64, len(log))
        due = offsets + (log.arrival - offsets).min()
        # What comes before a steady state is cut off as the warm-up is.
        chosen = (offsets >= run.warmup * 1e9) & (offsets < (WARMUP + 1) * 1e9)
        assert run.intended == chosen.sum()
        assert run.requests == (log.ends[chosen] == 0).sum()
        assert {failure.kind: failure.count for failure in run.failures} == {
            "InferenceFailed": (log.ends[chosen] == 1).sum(),
            "ServerUnavailable": (log.ends[chosen] == 2).sum(),
        }
        assert "planted failure" in run.failures[0].first
        assert run.requests_per_second == pytest.approx(run.requests / run.seconds)
        truth = ((log.departure - due) / 1e3)[chosen & (log.ends == 0)]
        wrong = ""
        for percentile in (50.0, 75.0, 90.0, 95.0, 99.0):
            exact = np.percentile(truth, percentile, method="closest_observation")
            found = run.latency.percentiles_us[percentile]
            if abs(found - exact) > 0.02 * exact:
                wrong += f"p{percentile:g} is {found:.0f} us, in truth {exact:.0f} us; "
        if not wrong:
            break
    assert not wrong


async def test_the_servers_own_account_is_told(standin: Any) -> None:
    """Queue, compute and batches as the server counts them, its processor time and metrics."""
    standin.play(window=0.02, max_batch=8, batch_cost=[0.03, 0.001])
    run = await measured(standin, Closed(16), duration=0.5)
    log = standin.log()
    assert run.server is not None
    (times,) = run.server
    assert times.requests == sum(size * count for size, count in times.batches.items())
    # A full batch of eight takes 38 ms; a machine with other work may leave one less full.
    assert times.batches[8] > 0.5 * times.executions
    assert times.compute_infer.mean_us == pytest.approx(38_000, rel=0.05)
    assert log.batch[log.batch > 0].max() == 8
    assert run.usage.server_cpu is not None
    assert run.usage.client_rss_bytes > 0


async def test_an_open_loop_sees_the_stall_that_a_closed_loop_omits(standin: Any) -> None:
    """
    Coordinated omission, and why an open loop is what tells how a server behaves.

    The server answers within 5 ms, but for one second of two in which it answers nobody.
    Both loads meet that same second.

    A closed loop of two requests in flight sends nothing more while it waits: its load
    is coordinated with the server. Of some 400 latencies two are bad, half a percent,
    and so p99 is 5 ms. That is a fact about the requests that were sent, and says
    nothing of those that callers would have sent in that second and that the loop
    omitted. Only the maximum gives it away.

    In an open loop requests start at their own times, 200 a second. All 200 of that
    second wait, between 0 and 1 s each and evenly: half of the window's 400. Of those a
    share u is above 1 s - u * 400 / 200 s, so that p99 is 0.98 s.
    Where the generator is late itself it is the same: latency counts from the intended
    start, so that a request that could not be sent is charged with its waiting.
    """
    for _ in range(5):
        # Where one of the loads starts late, both windows hold the stall all the same.
        standin.play(service=["constant", 0.005], stalls=[[1.2, 1.0]])
        closed, opened = await asyncio.gather(
            measured(standin, Closed(2), duration=2.0),
            measured(standin, Open(Constant(200)), duration=2.0),
        )
        assert closed.latency.max_us > 0.9e6
        # As many as the schedule has, whatever the server did.
        assert opened.requests == pytest.approx(200 * opened.seconds, abs=1)
        assert opened.latency.percentiles_us[99.0] > 0.9e6
        # A machine with other work may add to either, and leave a closed loop few requests.
        if (
            closed.latency.percentiles_us[99.0] < 0.1e6
            and abs(opened.latency.percentiles_us[99.0] - 0.98e6) < 0.02e6
        ):
            break
    else:
        pytest.fail(f"{closed.latency.percentiles_us}, {opened.latency.percentiles_us}")
