"""When a client is too slow for what it is sent."""

from __future__ import annotations

import pytest

from tritonkit.gateway.http.outflow import Outflow


@pytest.mark.parametrize(("rate", "enough"), [(0, 1), (10, 100)])
def test_time_runs_anew_where_enough_was_taken(rate: int, enough: int) -> None:
    outflow = Outflow(10.0, rate)
    outflow.begin(5.0, 1000)
    assert outflow.due == 15.0
    assert not outflow.is_slow(14.9, 1000)
    assert not outflow.is_slow(15.0, 1000 - enough)
    assert outflow.due == 25.0
    assert outflow.is_slow(25.0, 1001 - 2 * enough)
    assert not outflow.is_slow(25.0, 0)
