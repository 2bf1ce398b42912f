"""The driver against simulated servers and measurements."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.search.target import parse_target
from tritonkit.bench.sweep.ceiling import Ceiling
from tritonkit.bench.sweep.grid import make_grid
from tritonkit.bench.sweep.journal import Journal
from tritonkit.bench.sweep.override import Superseded
from tritonkit.bench.sweep.sweep import sweep
from tritonkit.errors import ConfigError, NotConnected, ServerStartError, ServerUnavailable

GRID = make_grid({"instances": ["1", "2"]}, [Closed(1), Closed(4)])


class Bench:
    """Settings and measurements of a server that does as it is told."""

    def __init__(self, make, **figures):
        self.make = make
        self.figures = figures
        self.running = {}
        self.applied = []
        self.measured = []
        self.away = 0
        self.restarts = 0
        self.refuses = None

    async def apply(self, settings):
        if self.away:
            self.away -= 1
            raise NotConnected("cannot connect")
        if settings == self.refuses:
            raise ServerStartError("no GPUs are available")
        self.applied.append(dict(settings))
        self.running = dict(settings)
        return 1

    async def check(self):
        if self.away:
            raise NotConnected("cannot connect")
        if self.restarts:
            self.restarts -= 1
            self.running = {}
            return False
        return True

    async def measure(self, point):
        assert self.running == point.settings
        self.measured.append(point)
        await asyncio.sleep(0)
        return self.make(point, **self.figures)


@pytest.fixture
def bench(make):
    return Bench(make)


async def outcomes(bench, grid=GRID, **options):
    return [one async for one in sweep(grid, bench.measure, bench, **options)]


async def test_every_point_is_measured_under_its_settings(bench):
    done = await outcomes(bench)

    assert bench.measured == list(GRID.points)
    assert bench.applied == [{"instances": "1"}, {"instances": "2"}]
    assert [one.entry.measurement.point for one in done] == list(GRID.points)


async def test_rounds_run_there_and_back(bench):
    """So that a machine that becomes slower does so to all points alike."""
    done = await outcomes(bench, rounds=2)

    there, back = bench.measured[:4], bench.measured[4:]
    assert there == list(GRID.points)
    assert [p.settings["instances"] for p in back] == ["2", "2", "1", "1"]
    assert [one.entry.round for one in done] == [0] * 4 + [1] * 4


async def test_settings_that_are_refused_fail_and_the_sweep_goes_on(bench):
    """Triton's reason is that of each of their points; it is asked once."""
    bench.refuses = {"instances": "1"}
    done = await outcomes(bench)

    assert [one.entry.failure for one in done] == ["no GPUs are available"] * 2 + [""] * 2
    assert [p.settings["instances"] for p in bench.measured] == ["2", "2"]


@pytest.mark.parametrize("first", [True, False])
async def test_an_interrupt_ends_waiting_for_a_server(bench, first):
    """Patience of a minute is not in the way of Ctrl-C: nothing is tried again after it."""
    tries = []
    apply, measure = bench.apply, bench.measure

    async def away(settings):
        if first or bench.measured:
            tries.append(settings)
            raise NotConnected("cannot connect")
        return await apply(settings)

    async def goes(point):
        await measure(point)
        raise NotConnected("cannot connect")

    bench.apply, bench.measure = away, goes
    done = await outcomes(bench, patience=1e9, interrupted=lambda: bool(tries))
    assert done == []
    assert len(tries) == 1


@pytest.mark.parametrize("how", ["raises", "fails", "restarts"])
async def test_a_server_that_comes_back_is_measured_again(bench, how):
    """With its settings applied anew; what was measured while it went is no measurement."""
    measure = bench.measure
    went = []

    async def once_gone(point):
        measurement = await measure(point)
        if len(bench.measured) == 3 and not went:
            went.append(point)
            bench.running = {}
            if how == "restarts":
                bench.restarts = 1
                return measurement
            bench.away = 1
            if how == "raises":
                raise NotConnected("cannot connect")
            return bench.make(point, failed="NotConnected")
        return measurement

    bench.measure = once_gone
    done = await outcomes(bench)

    assert [one.entry.failure for one in done] == [""] * 4
    assert Counter(map(str, bench.measured))[str(went[0])] == 2


async def test_a_server_that_stays_away_ends_the_sweep(bench):
    """What was measured before it went was yielded."""
    done = []

    async def run():
        async for one in sweep(GRID, bench.measure, bench, patience=0):
            done.append(one)
            if len(done) == 2:
                bench.away = 10**9

    with pytest.raises(ServerUnavailable, match="did not come back within 0 seconds"):
        await run()
    assert len(done) == 2


async def test_what_somebody_else_loads_ends_the_sweep(bench):
    async def superseded():
        raise Superseded("loaded by somebody else")

    bench.check = superseded
    with pytest.raises(Superseded):
        await outcomes(bench)


async def test_an_interrupt_drops_what_it_cut_short(bench, conditions, tmp_path):
    with Journal(tmp_path / "journal", conditions) as journal:
        done = await outcomes(bench, journal=journal, interrupted=lambda: len(bench.measured) == 2)

        assert [one.entry.point for one in done] == list(GRID.points)[:1]
        assert len(journal.entries) == 1


async def test_heavier_loads_are_skipped_beyond_the_ceiling(make):
    """Once the target is broken and the throughput grows no more."""
    grid = make_grid({}, [Closed(n) for n in (1, 2, 4, 8, 16)])
    rates = {1: 100, 2: 200, 4: 201, 8: 202, 16: 203}
    bench = Bench(make)

    async def measure(point):
        bench.measured.append(point)
        return make(point, rate=rates[point.concurrency], p99_ms=10 * point.concurrency)

    bench.measure = measure
    done = await outcomes(bench, grid, ceiling=Ceiling(parse_target("p99 < 15ms")))

    assert [p.concurrency for p in bench.measured] == [1, 2, 4]
    assert [one.skipped for one in done] == [False] * 3 + [True] * 2
    assert done[-1].entry.failure == (
        "at concurrency 4 already p99 is 40ms, not p99 < 15ms, and the throughput grew no more"
    )
    bench.measured.clear()
    await outcomes(bench, grid, ceiling=Ceiling(parse_target("p99 < 1s")))
    assert len(bench.measured) == 5


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), rounds=st.integers(1, 2))
def test_a_sweep_that_is_killed_anywhere_loses_nothing(conditions, make, seed, rounds):
    """Resumed until it ends, each point of each round is in the journal exactly once."""
    draw = random.Random(seed)
    bench = Bench(make)

    async def run(journal, kills_after):
        async for one in sweep(GRID, bench.measure, bench, journal=journal, rounds=rounds):
            kills_after -= not one.resumed
            if not kills_after:
                return False
        return True

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        whole = False
        while not whole:
            with Journal(path, conditions, resume=True) as journal:
                before = {str((e.point, e.round)) for e in journal.entries}
                bench.measured.clear()
                whole = asyncio.run(run(journal, draw.randint(1, 6)))
                # Nothing that was done is measured again.
                assert len(journal.entries) == len(before) + len(bench.measured)
            if not whole and draw.random() < 0.5:
                content = path.read_bytes()
                path.write_bytes(content[: draw.randint(0, len(content))])
        with Journal(path, conditions, resume=True) as journal:
            keys = [str((e.point, e.round)) for e in journal.entries]
    assert sorted(keys) == sorted(str((p, r)) for p in GRID.points for r in range(rounds))


async def test_a_journal_that_cannot_be_written_ends_the_sweep(bench, conditions, tmp_path):
    with Journal(tmp_path / "journal", conditions) as journal:

        def full(entry):
            raise ConfigError("no space left")

        journal.add = full
        with pytest.raises(ConfigError, match="no space left"):
            await outcomes(bench, journal=journal)
    assert len(bench.measured) == 1
