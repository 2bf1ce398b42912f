from __future__ import annotations

from pathlib import Path

import pytest

from tritonkit.bench.schedule.parse import parse_arrivals
from tritonkit.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("500", "500/s, Poisson"),
        ("poisson:0.5", "0.5/s, Poisson"),
        (" constant:1e3 ", "1000/s, constant"),
        ("gamma:500:0.5", "500/s, gamma with burstiness 0.5"),
        ("ramp:100-1000/60s", "ramp 100/s, 1000/s at 60s"),
        ("ramp:0-10/1m:poisson", "ramp 0/s, 10/s at 60s, Poisson"),
    ],
)
def test_a_schedule_is_read(text: str, words: str) -> None:
    assert str(parse_arrivals(text)) == words


def test_a_trace_is_read_once_or_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "a:b"
    path.write_text("0\n1\n")
    assert str(parse_arrivals(f"trace:{path}")) == "2 recorded arrivals of a:b"
    assert str(parse_arrivals(f"trace:{path}:repeat")) == "2 recorded arrivals of a:b, repeated"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "'' is not a number"),
        ("fast", "'fast' is not a number.*poisson:500"),
        ("burst:5", "but got 'burst:5'"),
        ("0", "to 1000000 arrivals a second, but got 0"),
        ("poisson:-1", "but got -1"),
        ("constant:nan", "but got nan"),
        ("gamma:500", "needs a rate and a burstiness"),
        ("constant:1e-12", "0.000001 to 1000000 arrivals a second, but got 1e-12"),
        ("ramp:0-1e-12/60s", "the last rate of a ramp must .* 1e-12"),
        ("poisson:1e300", "to 1000000 arrivals a second, but got 1e\\+300"),
        ("gamma:500:-1", "burstiness must be above 0, but got -1"),
        ("ramp:100", "two rates and a duration"),
        ("ramp:100-1000/60", "needs a unit"),
        ("ramp:100-1000/0s", "longer than 0 s"),
        ("ramp:100-0/5s", "the last above 0"),
        ("trace:/nowhere", "cannot read the trace '/nowhere'"),
    ],
)
def test_what_is_no_schedule_is_told(text: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        parse_arrivals(text)
