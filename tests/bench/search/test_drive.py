from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.bench.search.landscape import measured

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.load.shape import Closed, Open
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.search.capacity import CapacitySearch
from tritonkit.bench.search.drive import drive_capacity, drive_tuner
from tritonkit.bench.search.objective import Objective
from tritonkit.bench.search.target import parse_target
from tritonkit.bench.search.trial import Budget, Told
from tritonkit.bench.search.tune import Tuner
from tritonkit.bench.sweep.journal import Journal
from tritonkit.errors import ServerStartError

POINTS = [
    Point(load=Closed(callers), settings={"instances": count})
    for count in ("1", "2")
    for callers in (1, 2, 4, 8, 16, 32)
]
CONDITIONS = Conditions(
    url="http://simulated:8000",
    model="echo",
    version="",
    config_digests={"echo": "00"},
    server="triton",
    load="search",
    warmup=0.0,
    duration=1.0,
    max_requests=None,
    timeout=60.0,
    seed=0,
    inputs={"x": "FP32"},
    distinct_requests=64,
    started="2026-01-01T00:00:00+00:00",
)


class Server:
    """Refuses what it is told to, and counts what it is asked."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.applied: list[Mapping[str, str]] = []
        self.measured: list[Point] = []

    async def apply(self, settings: Mapping[str, str]) -> int:
        if settings.get("instances") == self.refuses:
            raise ServerStartError("no memory")
        self.applied.append(settings)
        return 1

    async def check(self) -> bool:
        return True

    async def measure(self, point: Point, seconds: float) -> Measurement:
        self.measured.append(point)
        assert isinstance(point.load, Closed)
        callers = point.load.concurrency
        return measured(
            point,
            rate=100.0 * callers,
            percentiles={50.0: 1e-3 * callers, 99.0: 2e-3 * callers},
            seconds=seconds,
        )


def tuner() -> Tuner:
    target = parse_target("p99 < 20ms")
    return Tuner(POINTS, Objective(target=target), budget=Budget(measurements=8), seed=1)


async def driven(tuner: Tuner, server: Server, **more: object) -> list[Told]:
    return [told async for told in drive_tuner(tuner, server.measure, server, **more)]  # type: ignore[arg-type]


async def test_what_is_refused_is_told_and_the_rest_is_searched() -> None:
    server, search = Server(refuses="2"), tuner()
    told = await driven(search, server)
    assert [one.failure for one in told if one.measurement is None] == ["no memory"]
    best = search.found().best
    assert best is not None
    assert Closed(8) == best.load
    assert best.settings == {"instances": "1"}


async def test_an_interrupted_search_goes_on_from_its_journal(tmp_path: Path) -> None:
    """The second one measures what the first did not, and finds what an undisturbed one does."""
    whole = tuner()
    undisturbed = await driven(whole, Server())
    first, path = Server(), tmp_path / "search.journal"
    with Journal(path, CONDITIONS) as journal:
        told = await driven(
            tuner(), first, journal=journal, interrupted=lambda: len(first.measured) > 3
        )
    second, search = Server(), tuner()
    with Journal(path, CONDITIONS, resume=True) as journal:
        again = await driven(search, second, journal=journal)
    assert len(told) == 3
    assert [one.trial for one in undisturbed] == [one.trial for one in again]
    assert len(undisturbed) == len(second.measured) + 3
    assert whole.found().best == search.found().best


async def test_a_capacity_is_probed_in_an_open_loop() -> None:
    rates: list[float] = []

    async def measure(point: Point, seconds: float) -> Measurement:
        assert isinstance(point.load, Open)
        rates.append(point.load.arrivals.rate)
        p99 = 0.001 if point.load.arrivals.rate < 700 else 0.1
        return measured(
            point, rate=point.load.arrivals.rate, percentiles={99.0: p99}, seconds=seconds
        )

    search = CapacitySearch(parse_target("p99 < 10ms"), start=100.0)
    probes = [probe async for probe, _ in drive_capacity(search, measure)]
    assert rates == [probe.rate for probe in probes]
    rate = search.found().rate
    assert rate is not None
    assert 675 < rate < 700
