from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from tritonkit.bench.schedule.recorded import Recorded
from tritonkit.errors import ConfigError


@pytest.mark.parametrize(
    "text",
    [
        "# seconds\n0\n0.25\n\n1.5\n",
        "0s\n1500ms\n250 ms\n",
        "\ufeff0\n0.25\n1.5\n",
        '{"timestamp": 0, "text": "a"}\n{"timestamp": 250}\n{"timestamp": 1500.0}\n',
        '{"data": [{"timestamp": [0]}, {"timestamp": [250], "x": [1]}, {"timestamp": [1500]}]}',
    ],
)
def test_a_trace_is_read_in_each_of_its_forms(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trace.txt"
    path.write_text(text)
    trace = Recorded.read(path)
    (offsets,) = trace.offsets(0)
    assert offsets.tolist() == [0, 250_000_000, 1_500_000_000]
    assert str(trace) == "3 recorded arrivals of trace.txt"


def test_a_trace_repeats_after_a_mean_gap() -> None:
    chunks = itertools.islice(Recorded([0.0, 1.0, 4.0], repeat=True).offsets(0), 3)
    assert (np.concatenate(list(chunks)) / 1e9).tolist() == [0, 1, 4, 6, 7, 10, 12, 13, 16]
    assert Recorded([0.0, 1.0, 4.0]).rate == 0.5
    assert Recorded([0.0, 0.0]).rate == 2


def test_equal_traces_have_equal_descriptions() -> None:
    assert Recorded([0.2, 0.1]).describe() == Recorded([0.1, 0.2]).describe()
    assert Recorded([0.2, 0.1]).describe() != Recorded([0.1, 0.3]).describe()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("0\nsoon\n", r"trace\.txt:2: an arrival .*soon"),
        ("0\n-1\n", "least in .*trace.txt is -1"),
        ('{"timestamp": "0"}\n', r"trace\.txt:1: timestamp must be milliseconds, but got '0'"),
        ('{"time": 0}\n', r"trace\.txt:1: timestamp must be milliseconds, but got None"),
        ('{"timestamp": 0}\n{\n', r"trace\.txt:2: not JSON"),
        ("nan\n0.1\n", "must be 0 to .* seconds .* the last in .*trace.txt is nan"),
        ("0\n1e12\n", "the last in .*trace.txt is 1e\\+12"),
        ("1.7e9\n", "subtract the time at which the trace begins"),
        ("\n", "no arrivals in .*trace.txt"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "trace.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match=wrong):
        Recorded.read(path)


def test_a_missing_trace_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        Recorded.read(tmp_path / "nowhere")
