"""`tritonkit cache warm`, on a real server and a real Redis."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import redis

from tritonkit.client import AsyncClient, Cache
from tritonkit.client.stores.redis.redis import Redis

if TYPE_CHECKING:
    from conftest import Run, Triton

ROWS = np.arange(200, dtype=np.float32).reshape(50, 4) / 10


def entries(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return sum(1 for key in client.scan_iter() if client.strlen(key) > 60)


@pytest.fixture
def warm(cache: Run, mixers: Triton, redis_url: str) -> Run:
    return lambda file, *options: cache(
        "warm", file, "--url", mixers.http, "--redis", redis_url, *options
    )


async def test_what_was_warmed_is_found(
    warm: Run, mixers: Triton, redis_url: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", ROWS)
    result = warm(tmp_path / "x.npy", "--model", "keeps")
    assert result.exit_code == 0, result.output
    assert "50 of 50 rows in " in result.stdout
    assert result.stdout.endswith(": 50 new, 0 already there, 0 failed\n")
    result = warm(tmp_path / "x.npy", "--model", "keeps")
    assert result.stdout.endswith(": 0 new, 50 already there, 0 failed\n")
    async with AsyncClient(mixers.http, [Cache(Redis(redis_url, budget="1s"))]) as client:
        answer = await client.infer("keeps", {"x": ROWS[[7, 3]]})
    assert answer.trace.origins == ("redis", "redis")
    assert np.array_equal(answer["y"], ROWS[[7, 3]] * 2)


def test_every_kind_of_file_is_the_same_rows(warm: Run, redis_url: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ROWS)
    np.savez(tmp_path / "b.npz", x=ROWS)
    (tmp_path / "c.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in ROWS.tolist()))
    (tmp_path / "d.jsonl").write_text(
        "\n".join(json.dumps({"x": row}) for row in ROWS.tolist()) + "\n\n"
    )
    for index, name in enumerate(("a.npy", "b.npz", "c.jsonl", "d.jsonl")):
        result = warm(tmp_path / name, "--model", "keeps", "--input", "x")
        new, there = (0, 50) if index else (50, 0)
        assert f": {new} new, {there} already there, 0 failed" in result.stdout, name
    assert entries(redis_url) == 50


async def test_text(warm: Run, mixers: Triton, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("hello\nünï\n\nhello\n", encoding="utf-8")
    options = ("--model", "lengths", "--identity", "1", "--rows", "--output", "length")
    result = warm(tmp_path / "texts.txt", *options, "--ttl", "none")
    assert "4 of 4 rows" in result.stdout
    assert ": 3 new, 1 already there, 0 failed" in result.stdout
    layer = Cache(Redis(redis_url, budget="1s"), rows=["lengths"], identities={"lengths": "1"})
    async with AsyncClient(mixers.http, [layer]) as client:
        answer = await client.infer("lengths", {"text": ["ünï", "", "new"]}, outputs=["length"])
    assert answer.trace.origins == ("redis", "redis", "model")


async def test_whole_requests_and_a_secret(
    warm: Run, mixers: Triton, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "texts.txt").write_text("hello\nworld\n")
    (tmp_path / "secret").write_bytes(bytes(range(32)))
    options = ("--model", "lengths", "--identity", "1", "--secret-file", tmp_path / "secret")
    result = warm(tmp_path / "texts.txt", *options)
    assert result.exit_code == 2
    assert "answers of 'lengths' are kept whole" in result.stderr
    result = warm(tmp_path / "texts.txt", *options, "--batch", "1")
    assert ": 2 new," in result.stdout
    layer = Cache(
        Redis(redis_url, budget="1s"), identities={"lengths": "1"}, secret=bytes(range(32))
    )
    async with AsyncClient(mixers.http, [layer]) as client:
        answer = await client.infer("lengths", {"text": ["world"]})
    assert answer.trace.origins == ("redis",)


def test_rows_that_fail_are_named_and_cost_no_other(
    warm: Run, redis_url: str, tmp_path: Path
) -> None:
    rows = [*ROWS[:40].tolist(), [100, 0, 0, 0], [1, 2, 3], "text"]
    file = tmp_path / "x.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    result = warm(file, "--model", "keeps")
    assert result.exit_code == 1
    assert result.stdout.endswith(": 40 new, 0 already there, 3 failed\n")
    lines = sorted(line for line in result.stderr.splitlines() if line.startswith(str(file)))
    assert [line.split(" ")[0] for line in lines] == [f"{file}:{n}:" for n in (41, 42, 43)]
    assert "division by zero" in lines[0]
    assert "must have shape [-1, 4]" in lines[1]
    assert entries(redis_url) == 40


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.jsonl", b"[1, 2, 3, 4]\n{\n[1\n", "x.jsonl:2: is not JSON"),
        ("x.jsonl", b"[1]\n\xff\n", "x.jsonl:2: must be UTF-8"),
        ("x.jsonl", b"\n", "x.jsonl has no rows"),
        ("x.npy", b"text", "x.npy is no .npy file"),
        ("x.npy", b"", "x.npy is no .npy file"),
        ("x.npy", b"\x93NUMPY", "x.npy cannot be read"),
        ("x.npz", b"text", "x.npz is no .npz file"),
        ("x.npz", b"PK", "x.npz cannot be read"),
        ("x.csv", b"1,2", "must be a .txt, .jsonl, .npy or .npz file"),
        ("x.txt", b"hello", "has 0 text inputs"),
    ],
)
def test_files_that_cannot_be_read(
    warm: Run, redis_url: str, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = warm(tmp_path / name, "--model", "keeps")
    assert result.exit_code == 2
    assert reason in result.stderr
    assert entries(redis_url) == 0


def test_mistakes(warm: Run, cache: Run, mixers: Triton, redis_url: str, tmp_path: Path) -> None:
    file = tmp_path / "x.npy"
    np.save(file, ROWS)
    for options, code, reason in (
        (("--model", "nope"), 1, "unknown model: 'nope'"),
        (("--model", "doubles"), 2, "has no tritonkit.model_digest"),
        (("--model", "keeps", "--input", "z"), 2, "has no input 'z'"),
        (("--model", "keeps", "--output", "z"), 2, "has no output 'z'"),
        (("--model", "keeps", "--ttl", "long"), 2, "ttl must be"),
        ((), 2, "--model"),
    ):
        result = warm(file, *options)
        assert result.exit_code == code, result.output
        assert reason in result.stderr
    nobody = "redis://127.0.0.1:1"
    result = cache("warm", file, "-m", "keeps", "--url", mixers.http, "--redis", nobody)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {nobody} does not answer: ")
    result = cache("warm", file, "-m", "keeps", "--url", "http://127.0.0.1:1", "--redis", redis_url)
    assert result.exit_code == 1
    assert "cannot connect" in result.stderr


def test_a_full_redis_is_told(warm: Run, redis_url: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ROWS)
    np.save(tmp_path / "one.npy", ROWS[:1])
    assert warm(tmp_path / "one.npy", "--model", "keeps").exit_code == 0
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", 1)
    result = warm(tmp_path / "x.npy", "--model", "keeps")
    assert result.exit_code == 1
    assert "it may be full" in result.stderr


def test_ctrl_c_keeps_what_is_done(mixers: Triton, redis_url: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(400_000, dtype=np.float32).reshape(-1, 4) / 1e5)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tritonkit", "cache", "warm", tmp_path / "x.npy"),
            *("-m", "keeps", "--url", mixers.http, "--redis", redis_url, "--batch", "4"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    end = time.monotonic() + 60
    while entries(redis_url) < 50 and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "stopped; what is done is kept" in err
    assert "Traceback" not in err
    new = int(out.split(" new,")[0].split()[-1])
    # Four requests of four rows may have been answered in the moment they were given up.
    assert 50 <= new <= entries(redis_url) <= new + 16
