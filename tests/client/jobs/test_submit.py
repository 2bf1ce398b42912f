"""Jobs of a client, with results in this process."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tritonkit.client import AsyncClient, Client, background
from tritonkit.client.jobs.job import SyncJob
from tritonkit.client.jobs.local import LocalJobs
from tritonkit.client.jobs.pace import Pace
from tritonkit.client.jobs.seen import Seen
from tritonkit.client.jobs.submissions import Submissions
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import (
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    JobLost,
    LimitExceeded,
    ServerOverloaded,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import Model

LOST = "0" * 32


async def test_a_job_gives_its_answer_later(model: Model) -> None:
    """submit returns before the model answers; the answer may be fetched twice."""
    model.gate.clear()
    async with AsyncClient(model.transport) as client:
        job = await client.submit("m", {"x": [1, 2]}, id="r1")
        assert await job.status() == "running"
        model.gate.set()
        answer = await job.result("5s")
        assert answer["y"].tolist() == [[2], [4]]
        assert answer.id == "r1"
        assert await job.status() == "done"
        assert (await job.result(0))["y"].tolist() == [[2], [4]]
        assert (await client.jobs.job(job.id).result(0))["y"].tolist() == [[2], [4]]
    assert model.transport.requests[0].priority == "batch"


async def test_what_travels_with_a_job(model: Model) -> None:
    async with AsyncClient(model.transport) as client:
        job = await client.submit(
            "m",
            {"x": [1]},
            outputs=["y"],
            version="1",
            parameters={"p": 1},
            timeout="5s",
            scope="tenant",
            tags={"user": "u"},
            priority="shadow",
        )
        await job.result("5s")
    (sent,) = model.transport.requests
    assert (sent.outputs, sent.version, sent.parameters) == (("y",), "1", {"p": 1})
    assert (sent.scope, sent.tags, sent.priority) == ("tenant", {"user": "u"}, "shadow")
    assert sent.deadline is not None


def test_a_child_works_on_jobs_of_its_own(model: Model) -> None:
    """It gives signs of life of them, and knows nothing of those of its parent."""
    board = LocalJobs()
    model.gate.clear()
    client = Client(model.transport, jobs=board)
    before = client.submit("m", {"x": [1]})
    with board._lock:
        child = os.fork()
        if not child:
            try:
                model.gate = asyncio.Event()
                job = client.submit("m", {"x": [2]})
                submissions = client._client._submissions
                assert submissions is not None
                assert list(submissions._tasks) == [job.id]
                assert submissions._beating is not None
                assert submissions._beating.get_loop() is background._background.loop()
                assert job.status() == "running"
                assert SyncJob(before.id, board).status() == "lost"
            except BaseException:
                os._exit(1)
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    model.gate.set()
    assert before.result("5s")["y"].tolist() == [[2]]
    client.close()


async def test_wrong_inputs_are_refused_at_once(model: Model) -> None:
    async with AsyncClient(model.transport) as client:
        with pytest.raises(InvalidInput, match="x"):
            await client.submit("m", {"x": ["a"]})
        assert model.transport.requests == []


async def test_inputs_may_be_changed_afterwards(model: Model) -> None:
    model.gate.clear()
    x = np.ones((1, 1), dtype=np.float32)
    async with AsyncClient(model.transport) as client:
        job = await client.submit("m", {"x": x})
        x[:] = 100
        model.gate.set()
        assert (await job.result("5s"))["y"].tolist() == [[2]]


async def test_a_failure_is_raised_by_result(model: Model) -> None:
    model.failure = ServerOverloaded("queue is full", model="m")
    async with AsyncClient(model.transport) as client:
        job = await client.submit("m", {"x": [1]})
        for _ in range(2):
            with pytest.raises(ServerOverloaded, match="queue is full"):
                await job.result("5s")
        assert await job.status() == "failed"


async def test_a_server_that_failed_is_not_the_board(model: Model) -> None:
    """What the job failed with is raised at the first look."""

    class Counting(LocalJobs):
        looks = 0

        async def see(self, id: str) -> Seen:
            self.looks += 1
            return await super().see(id)

    model.failure = ServerUnavailable("Triton is gone", model="m")
    board = Counting()
    async with AsyncClient(model.transport, jobs=board) as client:
        job = await client.submit("m", {"x": [1]})
        await asyncio.wait(client._submissions._tasks.values())  # type: ignore[union-attr]
        board.looks = 0
        with pytest.raises(ServerUnavailable, match="Triton is gone"):
            await job.result("5s")
    assert board.looks == 1


async def test_a_bug_in_a_layer_is_told(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    model.failure = ZeroDivisionError("oops")
    async with AsyncClient(model.transport) as client:
        job = await client.submit("m", {"x": [1]})
        with pytest.raises(InferenceFailed, match="ZeroDivisionError: oops"):
            await job.result("5s")
    assert "oops" in caplog.text


async def test_who_waits_too_short_takes_the_job_not_along(model: Model) -> None:
    model.gate.clear()
    async with AsyncClient(model.transport) as client:
        job = await client.submit("m", {"x": [1]})
        with pytest.raises(DeadlineExceeded, match="goes on"):
            await job.result("20ms")
        with pytest.raises(DeadlineExceeded):
            await job.result(0)
        model.gate.set()
        assert (await job.result("5s"))["y"].tolist() == [[2]]


async def test_a_job_has_a_deadline_of_its_own(model: Model) -> None:
    """Of a model that never answers, or while it waits for its turn."""
    model.gate.clear()
    async with AsyncClient(model.transport) as client:
        job = await client.submit("m", {"x": [1]}, timeout="10ms")
        with pytest.raises(DeadlineExceeded, match=r"not done in time$"):
            await job.result("5s")
        assert await job.status() == "failed"


async def test_a_bounded_number_is_sent_at_a_time(model: Model) -> None:
    async with AsyncClient(model.transport, pace=Pace(2, pending=3)) as client:
        model.gate.clear()
        jobs = [await client.submit("m", {"x": [1]}) for _ in range(5)]
        with pytest.raises(LimitExceeded, match="5 jobs"):
            await client.submit("m", {"x": [1]})
        for _ in range(20):
            await asyncio.sleep(0)
        assert model.at_work == 2
        assert [await job.status() for job in jobs] == ["running"] * 5
        model.gate.set()
        for job in jobs:
            await job.result("5s")
        assert model.most_at_work == 2
        assert client._submissions is not None
        # A job is done a moment before its task is.
        for _ in range(20):
            await asyncio.sleep(0)
        assert not client._submissions._tasks


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_flight": 0}, "in_flight must be at least 1"),
        ({"pending": -1}, "pending must not be negative"),
        ({"drain": "soon"}, "drain"),
    ],
)
def test_a_pace_that_is_none(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Pace(**options)


async def test_no_job_waits_where_none_may(model: Model) -> None:
    model.gate.clear()
    async with AsyncClient(model.transport, pace=Pace(1, pending=0, drain=0)) as client:
        await client.submit("m", {"x": [1]})
        with pytest.raises(LimitExceeded, match="1 jobs"):
            await client.submit("m", {"x": [1]})


async def test_closing_waits_for_jobs(model: Model) -> None:
    model.gate.clear()
    client = AsyncClient(model.transport)
    job = await client.submit("m", {"x": [1]})
    closing = asyncio.create_task(client.aclose())
    await asyncio.sleep(0.01)
    assert not closing.done()
    assert not model.transport.closed
    model.gate.set()
    await closing
    assert (await job.result(0))["y"].tolist() == [[2]]
    with pytest.raises(ConfigError, match="closed"):
        await client.submit("m", {"x": [1]})


async def test_closing_fails_what_is_left(model: Model) -> None:
    model.gate.clear()
    client = AsyncClient(model.transport, pace=Pace(drain="10ms"))
    jobs = [await client.submit("m", {"x": [n]}) for n in range(20)]
    await client.aclose()
    for job in jobs:
        assert await job.status() == "failed"
        with pytest.raises(JobLost, match="client was closed"):
            await job.result(0)
    assert model.at_work == 0


async def test_what_is_given_up_at_once_is_written_down_all_the_same(model: Model) -> None:
    class Slow(LocalJobs):
        async def finish(self, id: str, data: bytes) -> None:
            await asyncio.sleep(0.02)
            await super().finish(id, data)

    model.gate.clear()
    client = AsyncClient(model.transport, jobs=Slow(), pace=Pace(drain=0))
    job = await client.submit("m", {"x": [1]})
    await client.aclose()
    assert await job.status() == "failed"


async def test_a_job_that_is_announced_while_the_client_closes(model: Model) -> None:
    class Slow(LocalJobs):
        async def announce(self, id: str, data: bytes) -> None:
            await super().announce(id, data)
            await asyncio.sleep(0.02)

    client = AsyncClient(model.transport, jobs=Slow())
    await client.signature("m")
    submitting = asyncio.create_task(client.submit("m", {"x": [1]}))
    await asyncio.sleep(0)
    client._submissions = client._submissions or Submissions(client.jobs)
    await client.aclose()
    with pytest.raises(JobLost, match="client was closed"):
        await submitting
    assert model.transport.requests == []


async def test_no_such_job() -> None:
    board = LocalJobs()
    assert await board.job(LOST).status() == "lost"
    with pytest.raises(DeadlineExceeded, match="nobody is at work on it"):
        await board.job(LOST).result("10ms")
    with pytest.raises(JobLost, match=LOST):
        await board.job(LOST).result()


@pytest.mark.parametrize("id", ["", "x", "0" * 31, "0" * 33, "G" * 32, "A" * 32])
def test_no_id(id: str) -> None:
    with pytest.raises(ConfigError, match="32 hexadecimal digits"):
        LocalJobs().job(id)


async def test_results_end_with_their_time() -> None:
    now = 100.0
    board = LocalJobs(ttl="10s", clock=lambda: now)
    await board.announce("a", b"running")
    now += 1000
    assert (await board.see("a")).data == b"running"
    await board.finish("a", b"done")
    now += 9.9
    assert (await board.see("a")).data == b"done"
    now += 0.2
    assert (await board.see("a")).data is None
    await board.finish("b", b"")
    assert list(board._posts) == ["b"]


async def test_the_oldest_result_makes_room() -> None:
    board = LocalJobs(size=30)
    await board.announce("r", b"0123456789")
    for id in "abc":
        await board.finish(id, b"0123456789")
    assert list(board._posts) == ["r", "b", "c"]
    assert board._bytes == 30
    await board.finish("d", b"0" * 100)
    assert list(board._posts) == ["r"]


def test_sync_forms() -> None:
    """From threads; the handle of another thread's job works as well."""
    opened = threading.Event()

    async def answer(request: object) -> dict[str, np.ndarray]:
        await asyncio.to_thread(opened.wait, 30)
        return {"y": np.ones((1, 1), dtype=np.float32)}

    with Client(FakeTransport(answer, inputs={"x": (1,)}, outputs={"y": (1,)})) as client:
        job = client.submit("m", {"x": [1]})
        assert isinstance(job, SyncJob)
        assert job.status() == "running"
        with pytest.raises(DeadlineExceeded):
            job.result("10ms")
        opened.set()
        assert job.result("5s")["y"].tolist() == [[1]]
        assert job.status() == "done"
