"""`tritonkit cache what-if`."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tritonkit.client import AsyncClient, Cache, KeyTrace
from tritonkit.client.testing.transport import FakeTransport

if TYPE_CHECKING:
    from conftest import Run


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Keys 0 to 9, a round every minute, ten rounds; a second each, 2,000 bytes."""
    path = tmp_path / "trace"
    ticks = count(0, 60)
    recording = KeyTrace(path, clock=lambda: float(next(ticks)))
    for turn in range(10):
        keys = [bytes([key]) * 16 for key in range(10)]
        recording.record("embed", keys, [2000] * 10, [0.0 if turn else 1.0] * 10)
    recording.close()
    return path


def test_the_table(cache: Run, trace: Path) -> None:
    result = cache("what-if", trace, "--memory", "16kB,1MB", "--ttl", "150s,none", "--price", 36)
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "100 rows in 9m, 10 distinct: no cache avoids more than 90.0%.\n"
        "Models: embed. Processes: 1.\n"
        "The model's time for every row: 1.67m.\n"
        "\n"
        "memory   ttl  hit ratio  rows avoided  model time saved  cost saved\n"
        "  16kB  2.5m      27.0%            27       27s (27.0%)        0.27\n"
        "  16kB  none      34.0%            34       34s (34.0%)        0.34\n"
        "   1MB  2.5m      60.0%            60        1m (60.0%)        0.60\n"
        "   1MB  none      90.0%            90      1.5m (90.0%)        0.90\n"
    )


def test_with_redis_behind(cache: Run, trace: Path) -> None:
    arguments = ("what-if", trace, "--memory", "none", "--ttl", "none", "--redis")
    lines = cache(*arguments).stdout.splitlines()
    assert lines[-2].split("  ")[:1] == ["memory"]
    assert "from memory  from redis" in lines[-2]
    assert lines[-1].split()[:5] == ["none", "none", "90.0%", "0", "90"]
    found = json.loads(cache(*arguments, "--json").stdout)
    assert found["settings"][0]["redis_hits"] == 90
    assert found["settings"][0]["cost_saved"] is None


def test_json(cache: Run, trace: Path) -> None:
    (file,) = trace.iterdir()
    found = json.loads(cache("what-if", file, "--json", "--price", "1").stdout)
    assert (found["rows"], found["distinct"], found["seconds"]) == (100, 10, 540)
    assert (found["models"], found["processes"], found["model_seconds"]) == (["embed"], 1, 100)
    assert len(found["settings"]) == 9
    assert found["settings"][0]["memory"] == 16_000_000
    assert found["settings"][-1]["ttl"] is None


def test_what_is_not_known_is_said(cache: Run, tmp_path: Path) -> None:
    recording = KeyTrace(tmp_path)
    recording.record("m", [bytes(16)] * 2, [0, 0], [0, 0])
    recording.close()
    (file,) = tmp_path.iterdir()
    with file.open("ab") as damaged:
        damaged.write(b"x" * 40)
    result = cache("what-if", tmp_path)
    assert "The model's time is not known" in result.stdout
    assert "the size of some entries is not known" in result.stdout
    assert "2 damaged records were left out" in result.stdout


async def test_what_a_cache_recorded(cache: Run, tmp_path: Path) -> None:
    recording = KeyTrace(tmp_path)
    transport = FakeTransport(
        lambda request: {"y": request.inputs["x"]}, inputs={"x": [1]}, outputs={"y": [1]}
    )
    layer = Cache(rows=["m"], record=recording)
    async with AsyncClient(transport, [layer]) as client:
        for first in range(5):
            await client.infer("m", {"x": [[float(first)], [first + 1.0], [first + 2.0]]})
    recording.close()
    found = json.loads(
        cache("what-if", tmp_path, "--ttl", "1h", "--memory", "1MB", "--json").stdout
    )
    assert (found["rows"], found["distinct"], found["models"]) == (15, 7, ["m"])
    assert found["settings"][0]["rows_avoided"] == 8 == layer.counts["memory"]
    assert found["model_seconds"] > 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--memory", "much"), "memory must be a number with a unit"),
        (("--memory", "16MB,"), "memory must be a number with a unit"),
        (("--ttl", "1h,2"), "ttl needs a unit"),
        (("--price", "-1"), "--price"),
    ],
)
def test_mistakes(cache: Run, trace: Path, options: tuple[str, ...], reason: str) -> None:
    result = cache("what-if", trace, *options)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_no_trace(cache: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    for path in (tmp_path / "notes.txt", tmp_path, tmp_path / "nowhere"):
        result = cache("what-if", path)
        assert result.exit_code == 2
        assert str(path) in result.stderr
    (tmp_path / "empty.keys").touch()
    assert "no row was recorded" in cache("what-if", tmp_path).stderr
    assert cache("what-if").exit_code == 2
