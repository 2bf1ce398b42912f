from __future__ import annotations

import contextlib
import itertools
import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.errors import ConfigError
from tritonkit.units import (
    format_duration,
    format_size,
    parse_duration,
    parse_range,
    parse_share,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500us", 500e-6),
        ("250ns", 250e-9),
        ("80ms", 0.08),
        ("10s", 10.0),
        ("1.5m", 90.0),
        ("24h", 86400.0),
        ("7d", 604800.0),
        (" 2 s ", 2.0),
        ("0s", 0.0),
        (".5s", 0.5),
    ],
)
def test_duration_is_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("value", [3, 0.25, timedelta(minutes=2)])
def test_duration_takes_numbers_of_seconds_and_timedelta(value: float | timedelta) -> None:
    expected = value.total_seconds() if isinstance(value, timedelta) else float(value)
    assert parse_duration(value) == expected


@pytest.mark.parametrize(
    "value",
    ["", "10", "s", "10 parsecs", "-1s", "1e3s", "10S", "1s2ms", "١s", "inf s", True, None, [1]],
)
def test_duration_refuses_anything_else_with_name_and_value(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_duration(value, name="ttl")  # type: ignore[arg-type]  # the point of the test
    assert "ttl" in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.5, timedelta(seconds=-1)])
def test_duration_must_be_finite_and_not_negative(value: float | timedelta) -> None:
    with pytest.raises(ConfigError, match="finite and not negative"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MB", 64 * 10**6),
        ("64MiB", 64 * 2**20),
        ("512B", 512),
        ("1gib", 2**30),
        ("1.1TB", 1_100_000_000_000),
        ("0.5kB", 500),
    ],
)
def test_size_is_whole_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("value", ["64", "0.3B", "1.00001kB", "64 bits", -1, 1.5, True, "MB"])
def test_size_refuses_anything_else(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_size(value, name="memory")  # type: ignore[arg-type]  # the point of the test
    assert "memory" in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("value", "share"),
    [
        ("1%", 0.01),
        ("1.5 %", 0.015),
        ("0.01", 0.01),
        (".5", 0.5),
        ("100%", 1.0),
        (0, 0.0),
        (1, 1.0),
    ],
)
def test_share_is_0_to_1(value: str | float, share: float) -> None:
    assert parse_share(value) == pytest.approx(share)


@pytest.mark.parametrize(
    "value", ["", "%", "-1%", "101%", "1.01", "1e-2", "1 percent", 1.5, -0.1, True, None]
)
def test_share_refuses_anything_else_with_name_and_value(value: object) -> None:
    with pytest.raises(ConfigError, match="loss") as caught:
        parse_share(value, name="loss")  # type: ignore[arg-type]  # the point of the test
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("8", (8,)),
        ("1,4,16", (1, 4, 16)),
        ("1:4", (1, 2, 3, 4)),
        ("0:64:16", (0, 16, 32, 48, 64)),
        ("1:64:*2", (1, 2, 4, 8, 16, 32, 64)),
        ("3:20:*3", (3, 9)),
        ("1:4,4,64", (1, 2, 3, 4, 64)),
        (32, (32,)),
    ],
)
def test_range_lists_its_values(text: str | int, values: tuple[int, ...]) -> None:
    assert parse_range(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "1:",
        "4:1",
        "1:8:0",
        "1:8:*1",
        "0:8:*2",
        "1:2:3:4",
        "1:8:2x",
        "-1",
        "1.5",
        "0:10000",
    ],
)
def test_range_refuses_what_has_no_end_or_no_sense(text: str) -> None:
    with pytest.raises(ConfigError, match="concurrency"):
        parse_range(text, name="concurrency")


@given(start=st.integers(1, 1000), length=st.integers(0, 10**6), by=st.integers(2, 10))
def test_multiplied_range_is_the_geometric_series_within_its_end(
    start: int, length: int, by: int
) -> None:
    end = start + length
    values = parse_range(f"{start}:{end}:*{by}")
    assert values[0] == start
    assert all(b == a * by for a, b in itertools.pairwise(values))
    assert values[-1] <= end < values[-1] * by


@given(st.floats(1e-9, 1e7))
def test_duration_survives_formatting_to_three_digits(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=5e-3)


@given(st.integers(0, 10**15))
def test_size_survives_formatting_to_three_digits(size: int) -> None:
    text = format_size(size)
    number = float(text.rstrip("BkMGT"))
    factor = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[text.lstrip("0123456789.")]
    assert number * factor == pytest.approx(size, rel=5e-3)


@given(st.text())
def test_any_text_is_read_or_refused_with_our_error(text: str) -> None:
    for parse in (parse_duration, parse_size, parse_share, parse_range):
        with contextlib.suppress(ConfigError):
            parse(text)
