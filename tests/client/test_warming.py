"""Rows are sent once, whatever becomes of some of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tritonkit.client import AsyncClient, Cache, InferRequest, Tensors
from tritonkit.client.commands.row_file import open_rows
from tritonkit.client.commands.warming import Warming
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import (
    ConfigError,
    InferenceFailed,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)

ERRORS = {
    7: InferenceFailed("seven"),
    8: ServerOverloaded("eight"),
    9: ServerUnavailable("nine"),
}


class Model:
    """Doubles x, and fails as ERRORS says, each of them *times* times."""

    def __init__(self, times: int) -> None:
        self.left = dict.fromkeys(ERRORS, times)
        self.transport = FakeTransport(
            self.answer, inputs={"x": [1]}, outputs={"y": [1]}, max_batch_size=4
        )

    def answer(self, request: InferRequest) -> Tensors:
        x = request.inputs["x"]
        for value in x.ravel().tolist():
            if self.left.get(value, 0) > 0:
                self.left[value] -= 1
                raise ERRORS[value]
        return {"y": x * 2}


async def warmed(tmp_path: Path, values: list[float], times: int, concurrency: int = 2) -> Warming:
    file = tmp_path / "x.jsonl"
    file.write_text("\n".join(map(json.dumps, values)))
    asked = 0

    async def ready() -> None:
        nonlocal asked
        asked += 1

    async with AsyncClient(Model(times).transport, [Cache(rows=["m"])]) as client:
        signature = await client.signature("m")
        warming = Warming(client=client, signature=signature, batch=4, ready=ready)
        try:
            await warming.run(open_rows(file, signature), concurrency)
        except RequestError as error:
            warming.failures.append(error)  # type: ignore[arg-type]  # for the test to see
    assert asked
    return warming


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tritonkit.client.commands.warming._PAUSE", 0.001)


async def test_each_row_once(tmp_path: Path) -> None:
    warming = await warmed(tmp_path, [*range(6), 1, 2], times=0)
    assert (warming.computed, warming.present, warming.failures) == (6, 2, [])
    assert warming.done == 8


async def test_a_row_that_always_fails_fails_alone(tmp_path: Path) -> None:
    warming = await warmed(tmp_path, [1, 7, 2, 3, 4], times=10**9)
    assert (warming.computed, warming.done) == (4, 5)
    (failure,) = warming.failures
    assert failure.place == f"{tmp_path}/x.jsonl:2"
    assert "seven" in failure.reason


async def test_a_busy_server_is_given_time(tmp_path: Path) -> None:
    warming = await warmed(tmp_path, [8, 1, 2], times=4)
    assert (warming.computed, warming.failures) == (3, [])


async def test_a_server_that_is_gone_ends_it(tmp_path: Path) -> None:
    warming = await warmed(tmp_path, [1, 2, 3, 4, 9, *range(100, 200)], times=10**9, concurrency=1)
    assert warming.computed == 4
    (error,) = warming.failures
    assert isinstance(error, ServerUnavailable)


async def test_files_are_read_row_by_row(tmp_path: Path) -> None:
    client = AsyncClient(
        FakeTransport(
            lambda request: {}, inputs={"a": [2], "b": [1]}, outputs={}, datatypes={"b": "BYTES"}
        )
    )
    signature = await client.signature("m")
    np.savez(tmp_path / "x.npz", a=np.zeros((3, 2), np.float32), b=np.array([["x"], ["y"], ["z"]]))
    rows = open_rows(tmp_path / "x.npz", signature)
    assert len(rows) == 3
    assert [row.place for row in rows] == [f"{tmp_path}/x.npz[{row}]" for row in range(3)]
    assert [row.values["b"].tolist() for row in rows] == [["x"], ["y"], ["z"]]
    (tmp_path / "x.txt").write_bytes("ä\r\n\nb".encode())
    assert [row.values for row in open_rows(tmp_path / "x.txt", signature)] == [
        {"b": "ä"},
        {"b": ""},
        {"b": "b"},
    ]
    np.savez(tmp_path / "uneven.npz", a=np.zeros((3, 2)), b=np.zeros(2))
    with pytest.raises(ConfigError, match="same number of rows"):
        open_rows(tmp_path / "uneven.npz", signature)
    (tmp_path / "bare.jsonl").write_text("1\n")
    with pytest.raises(ConfigError, match="has 2 inputs: a, b; name one with --input"):
        open_rows(tmp_path / "bare.jsonl", signature)
    (tmp_path / "broken.jsonl").write_text("{\n" * 12)
    with pytest.raises(ConfigError, match="and perhaps more") as caught:
        open_rows(tmp_path / "broken.jsonl", signature)
    assert len(str(caught.value).splitlines()) == 11
    (tmp_path / "empty.txt").touch()
    assert list(open_rows(tmp_path / "empty.txt", signature)) == []
