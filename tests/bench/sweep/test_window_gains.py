"""What `make bench-windows` says of its figures."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Point

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def gains(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("window_gains").Gains


def test_each_comparison_is_of_the_points_that_it_names(gains: Any, make: Any) -> None:
    """12 times one caller, 6 times as many callers, 4 times the best without batching."""
    rates = {
        ("off", 1): 100, ("off", 8): 300, ("off", 64): 200,
        ("0us", 1): 150, ("0us", 8): 600, ("0us", 64): 1000,
        ("5ms", 1): 20, ("5ms", 8): 200, ("5ms", 64): 1200,
    }  # fmt: skip
    measured = []
    for (window, callers), rate in rates.items():
        settings = {"dynamic_batching": "off"}
        if window != "off":
            settings = {"dynamic_batching": "on", "max_queue_delay": window}
        point = Point(load=Closed(callers), settings=settings)
        measured.append(make(point, rate=rate, p99_ms=1e3 * callers / rate))
    # One without an answer is no point to compare with.
    point = Point(load=Closed(128), settings={"dynamic_batching": "off"})
    measured.append(make(point, failed="NotConnected"))
    found = gains.of(measured, "echo")
    described = json.loads(json.dumps(found.describe(), allow_nan=False))
    assert described["times"] == {"one caller": 12, "as many callers": 6, "best without": 4}
    # One window for every number of callers: the best of each would win by its noise.
    assert described["times_by_callers"] == {
        "1": pytest.approx(0.2),
        "8": pytest.approx(2 / 3),
        "64": 6,
    }
    lines = found.lines()
    assert lines[0].startswith("best: 1,200/s with a window of 5ms and 64 callers")
    assert lines[4].startswith("for whom: from 64 callers on; with a window of 5ms")
    assert "6.0 at 64 (10 times is not reached)" in lines[4]
    assert lines[-1] == (
        "one caller pays: 50ms at the median with a window of 5ms, 10ms without batching"
    )
