"""Speeds, by a clock that networks turn forward themselves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.search.speed import measure_speed, speed_batches
from tritonkit.export.sources.source import Feeds, Source

MS = 10**6
BATCHES: dict[int, Feeds] = {
    1: {"x": np.zeros((1, 16), np.float32)},
    32: {"x": np.zeros((32, 16), np.float32)},
}


class Clock:
    """Nanoseconds, and who ran when."""

    def __init__(self) -> None:
        self.now = 0
        self.runs: list[tuple[str, int]] = []

    def __call__(self) -> int:
        return self.now


class Timed:
    """A network that takes these times in turn, for each row."""

    def __init__(self, clock: Clock, name: str, times: Sequence[int]) -> None:
        self._clock, self._name, self._times = clock, name, cycle(times)

    def run(self, feeds: Feeds) -> None:
        rows = len(feeds["x"])
        self._clock.now += next(self._times) * rows
        self._clock.runs.append((self._name, rows))


def test_ratios_are_taken_within_a_round_and_their_median_counts() -> None:
    clock = Clock()
    networks = {
        "fp32": Timed(clock, "fp32", [10 * MS]),
        "int8": Timed(clock, "int8", [4 * MS, 4 * MS, 4 * MS, 4 * MS, 40 * MS]),
    }

    speed = measure_speed(networks, BATCHES, seconds=0, clock=clock)

    assert speed["int8"].times_faster == {1: 2.5, 32: 2.5}
    assert speed["int8"].rows_per_second == {1: 250.0, 32: 250.0}
    assert speed["int8"].throughput == 2.5
    assert speed["fp32"].times_faster == {1: 1.0, 32: 1.0}
    assert speed["fp32"].rows_per_second == {1: 100.0, 32: 100.0}


def test_a_slower_machine_in_some_rounds_moves_no_ratio() -> None:
    clock = Clock()
    # The first four runs of fp32 and the first two of int8 warm up.
    slow = [1, 1, 5, 5, 9, 9, 1, 1, 3, 3]
    networks = {
        "fp32": Timed(clock, "fp32", [10 * MS * factor for factor in [1, 1, 1, 1, *slow]]),
        "int8": Timed(clock, "int8", [5 * MS * factor for factor in [1, 1, *slow]]),
    }
    batches = {16: BATCHES[1], 32: BATCHES[1]}

    speed = measure_speed(networks, batches, seconds=0, clock=clock)

    assert speed["int8"].times_faster == {16: 2.0, 32: 2.0}
    assert speed["int8"].error == {16: 0.0, 32: 0.0}


def test_each_network_is_first_in_turn_after_a_warm_up() -> None:
    clock = Clock()
    networks = {name: Timed(clock, name, [10 * MS]) for name in ("fp32", "int8", "w8")}

    measure_speed(networks, {1: BATCHES[1]}, seconds=0, clock=clock)

    names = "".join(name[0] for name, _ in clock.runs)
    assert names == "fiw" + "f" + "fiw" + "iwf" + "wfi" + "fiw" + "iwf"


def test_time_bounds_the_rounds() -> None:
    clock = Clock()
    networks = {
        "fp32": Timed(clock, "fp32", [10 * MS]),
        # Never sure: the ratio moves from round to round.
        "int8": Timed(clock, "int8", [4 * MS, 9 * MS, 6 * MS, 12 * MS, 5 * MS]),
    }

    measure_speed(networks, {1: BATCHES[1]}, seconds=1.0, clock=clock)

    assert 4000 * MS <= clock.now <= 4040 * MS


def test_what_is_fairly_sure_is_not_measured_longer() -> None:
    clock = Clock()
    networks = {
        "fp32": Timed(clock, "fp32", [100 * MS]),
        # More than 1 % and less than 2.5 %, after ten rounds.
        "int8": Timed(clock, "int8", [46 * MS, 48 * MS, 50 * MS, 52 * MS, 54 * MS]),
    }

    speed = measure_speed(networks, {1: BATCHES[1]}, seconds=2.0, clock=clock)

    assert 0.01 < speed["int8"].error[1] / speed["int8"].throughput < 0.025
    assert 2000 * MS <= clock.now <= 2160 * MS


def test_small_batches_alone_are_not_waited_for() -> None:
    class Unsteady(Timed):
        def run(self, feeds: Feeds) -> None:
            if len(feeds["x"]) == 1:
                super().run(feeds)
            else:
                clock.now += 10 * MS

    clock = Clock()
    networks = {
        "fp32": Timed(clock, "fp32", [10 * MS]),
        "int8": Unsteady(clock, "int8", [4 * MS, 9 * MS, 6 * MS, 12 * MS, 5 * MS]),
    }

    measure_speed(networks, BATCHES, seconds=5.0, clock=clock)

    assert 5000 * MS <= clock.now < 6000 * MS


def test_a_steady_measurement_ends_early() -> None:
    clock = Clock()
    networks = {name: Timed(clock, name, [10 * MS]) for name in ("fp32", "int8")}

    measure_speed(networks, {1: BATCHES[1]}, seconds=1000.0, clock=clock)

    assert clock.now < 1000 * MS


def test_runs_of_microseconds_are_repeated() -> None:
    clock = Clock()
    networks = {"fp32": Timed(clock, "fp32", [1000]), "int8": Timed(clock, "int8", [500])}

    speed = measure_speed(networks, {1: BATCHES[1]}, seconds=0, clock=clock)

    assert speed["int8"].times_faster == {1: 2.0}
    assert clock.runs.count(("fp32", 1)) > 5 * 5000


@pytest.mark.parametrize(("milliseconds", "rows"), [(1, 32), (31, 32), (40, 16), (10_000, 2)])
def test_a_slow_network_is_measured_in_smaller_batches(
    rows_source: Source, samples: Samples, milliseconds: int, rows: int
) -> None:
    clock = Clock()
    network = Timed(clock, "fp32", [milliseconds * MS])

    batches = speed_batches(rows_source, samples, network, clock=clock)

    assert {size: feeds["x"].shape for size, feeds in batches.items()} == {
        1: (1, 16),
        rows: (rows, 16),
    }


def test_a_few_samples_are_repeated_to_fill_the_batch(
    rows_source: Source, samples: Samples
) -> None:
    clock = Clock()
    three = samples.take([0, 1, 2])

    batches = speed_batches(rows_source, three, Timed(clock, "fp32", [1]), clock=clock)

    assert len(np.unique(batches[32]["x"], axis=0)) == 3


def test_extremes_are_not_timed(rows_source: Source, samples: Samples) -> None:
    values = samples.columns["x"][:4].copy()
    values[2:] = 1e6
    clock = Clock()

    batches = speed_batches(
        rows_source,
        Samples({"x": values}, "made up", extremes=2),
        Timed(clock, "fp32", [1]),
        clock=clock,
    )

    assert max(feeds["x"].max() for feeds in batches.values()) < 1e6


def test_a_graph_without_a_batch_axis_is_measured_one_by_one(
    rows: type[Source], samples: Samples
) -> None:
    class Single(rows):  # type: ignore[misc, valid-type]
        batched = False

    clock = Clock()

    assert set(speed_batches(Single(), samples, Timed(clock, "fp32", [1]), clock=clock)) == {1}


def test_networks_of_onnxruntime_are_measured(
    tmp_path: Path, rows_source: Source, samples: Samples
) -> None:
    graph = rows_source.convert(tmp_path, samples).graph
    network = Network(rows_source, graph, threads=1)

    batches = speed_batches(rows_source, samples, network)
    speed = measure_speed({"fp32": network, "again": network}, batches, seconds=0.05)

    assert set(speed) == {"fp32", "again"}
    assert set(speed["again"].times_faster) == {1, 32}
    assert all(rate > 0 for rate in speed["again"].rows_per_second.values())
