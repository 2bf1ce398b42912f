"""Concurrent calls as one request: on a transport that a function answers, and on Triton."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tritonkit.client import (
    AsyncClient,
    Cache,
    Client,
    InferRequest,
    InferResponse,
    Route,
    Stack,
    Trace,
)
from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.budget.limits import Quota
from tritonkit.client.layers.coalesce.coalesce import Coalesce
from tritonkit.client.layers.tiers.constant import Constant
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import (
    BudgetExceeded,
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import Triton

GUILTY = -1.0

Handler = Callable[[InferRequest], Any]


@pytest.fixture(autouse=True)
def nothing_is_reported(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No task and no future ends with an error that nobody looked at."""
    yield
    gc.collect()
    assert [r.getMessage() for r in caplog.records if r.name == "asyncio"] == []


def negative(request: InferRequest) -> dict[str, Any]:
    return {"y": -request.inputs["x"]}


def stacked(handler: Handler = negative, layer: Coalesce | None = None, **fields: Any) -> Stack:
    transport = FakeTransport(
        handler, **{"inputs": {"x": [1]}, "outputs": {"y": [1]}, "max_batch_size": 8, **fields}
    )
    return Stack(transport, [layer or Coalesce()])


def request(*rows: float, **fields: Any) -> InferRequest:
    x = np.array(rows, dtype=np.float32).reshape(-1, 1)
    return InferRequest(**{"model": "m", "inputs": {"x": x}, **fields})


def sent(stack: Stack) -> list[list[float]]:
    transport: FakeTransport = stack.transport  # type: ignore[assignment]
    return [r.inputs["x"].ravel().tolist() for r in transport.requests]


def layer_of(stack: Stack) -> Coalesce:
    layer = stack.layers[0]
    assert isinstance(layer, Coalesce)
    return layer


def empty(stack: Stack) -> bool:
    return not any(layer_of(stack)._groups.values())


async def together(stack: Stack, *requests: InferRequest) -> list[InferResponse | BaseException]:
    return await asyncio.gather(*map(stack, requests), return_exceptions=True)


async def known(stack: Stack) -> None:
    """Ask for the signature, so that calls of a test begin together."""
    await stack(request(0))
    stack.transport.requests.clear()  # type: ignore[attr-defined]


async def test_calls_of_one_moment_are_one_request() -> None:
    stack = stacked()
    await known(stack)
    answers = await together(stack, request(1, 2, id="a"), request(3, id="b"), request(4))
    assert sent(stack) == [[1, 2, 3, 4]]
    assert [(a.id, a["y"].ravel().tolist()) for a in answers] == [
        ("a", [-1, -2]),
        ("b", [-3]),
        ("", [-4]),
    ]
    assert empty(stack)


async def test_each_user_pays_below_for_his_own() -> None:
    layer = Budget(Quota("1 calls", per="user", window="1h"))
    stack = Stack(stacked().transport, [Coalesce(), layer])
    users = [request(n, tags={"user": f"u{n}"}) for n in (1, 2)]
    for answer in await together(stack, *users):
        assert isinstance(answer, InferResponse)
    for user in ("u1", "u2"):
        assert [used.left for used in await layer.usage(user=user)] == [0]
    for again in await together(stack, *users):
        assert isinstance(again, BudgetExceeded)


async def test_what_stands_in_for_joined_calls_is_not_kept_above() -> None:
    failure: Exception | None = None

    def answer(request: InferRequest) -> dict[str, Any]:
        if failure is not None:
            raise failure
        return negative(request)

    constant = Tiers(Route("only"), last=[Constant({"y": 7.0})])
    stack = Stack(stacked(answer).transport, [Cache(), Coalesce(), constant])
    await known(stack)
    failure = ServerUnavailable("gone")
    for outcome in await together(stack, request(1), request(2)):
        assert isinstance(outcome, InferResponse)
        assert (outcome["y"].item(), outcome.trace.degraded) == (7, "constant: ServerUnavailable")
    assert sent(stack) == [[1, 2]]
    failure = None
    for row in (1, 2):
        response = await stack(request(row))
        assert (response["y"].item(), response.trace.origins) == (-row, ("model",))


async def test_users_are_joined_where_nothing_below_tells_them_apart() -> None:
    stack = stacked(layer=Coalesce(apart=[]))
    await known(stack)
    await together(stack, request(1, tags={"user": "u1"}), request(2, tags={"user": "u2"}))
    assert sent(stack) == [[1, 2]]
    assert repr(layer_of(stack)) == "Coalesce(window='2ms', apart=[])"
    with pytest.raises(ConfigError, match="apart must be a collection"):
        Coalesce(apart="user")


async def test_one_call_goes_as_it_came() -> None:
    stack = stacked()
    only = request(1, id="7", deadline=monotonic() + 10)
    answer = await stack(only)
    assert stack.transport.requests == [only]  # type: ignore[attr-defined]
    assert answer.id == "7"


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110, nothing tells
            await asyncio.sleep(0.001)


async def test_what_comes_while_one_is_in_flight_goes_when_it_is_back() -> None:
    gate, _, handler = gated()
    stack = stacked(handler, config={"instance_group": [{"count": 1}]})
    first = asyncio.ensure_future(stack(request(1)))
    await until(lambda: sent(stack))
    others = [asyncio.ensure_future(stack(request(n))) for n in (2, 3)]
    await asyncio.sleep(0.02)
    assert sent(stack) == [[1]]
    gate.set()
    await asyncio.gather(first, *others)
    assert sent(stack) == [[1], [2, 3]]


async def test_with_a_second_instance_it_goes_when_the_window_has_passed() -> None:
    gate, _, handler = gated()
    groups = [{"count": 1, "kind": "KIND_GPU", "gpus": [0, 1]}]
    stack = stacked(handler, config={"instance_group": groups})
    first = asyncio.ensure_future(stack(request(1)))
    await until(lambda: sent(stack))
    others = [asyncio.ensure_future(stack(request(n))) for n in (2, 3)]
    await until(lambda: len(sent(stack)) == 2)
    assert sent(stack) == [[1], [2, 3]]
    gate.set()
    await asyncio.gather(first, *others)


async def test_requests_are_filled_and_never_above() -> None:
    stack = stacked()
    await known(stack)
    await together(stack, *(request(n) for n in range(20)))
    assert sorted(len(rows) for rows in sent(stack)) == [4, 8, 8]
    assert [row for rows in sent(stack) for row in rows] == list(range(20))


@pytest.mark.parametrize(("max_rows", "most"), [(3, 3), (100, 8)])
async def test_max_rows_is_the_users_or_the_models(max_rows: int, most: int) -> None:
    stack = stacked(layer=Coalesce(max_rows=max_rows))
    await known(stack)
    await together(stack, *(request(n) for n in range(10)))
    assert max(len(rows) for rows in sent(stack)) == most


@pytest.mark.parametrize(
    ("fields", "request_fields"),
    [
        ({"max_batch_size": 0}, {}),
        ({}, {"parameters": {"sequence_id": 7}}),
        ({"config": {"input": [{"name": "x", "is_shape_tensor": True}]}}, {}),
    ],
)
async def test_what_cannot_be_joined_passes_through(
    fields: dict[str, Any], request_fields: dict[str, Any]
) -> None:
    stack = stacked(**fields)
    requests = [request(n, **request_fields) for n in range(3)]
    await together(stack, *requests)
    assert stack.transport.requests == requests  # type: ignore[attr-defined]


async def test_full_requests_pass_through() -> None:
    stack = stacked()
    requests = [request(*range(8)), request(*range(8))]
    await together(stack, *requests)
    assert stack.transport.requests == requests  # type: ignore[attr-defined]


async def test_different_kinds_are_different_requests() -> None:
    stack = stacked()
    await known(stack)
    typed = [request(n, parameters={"a": a}) for n, a in enumerate((1, 1.0, True, 1))]
    await together(stack, *typed, request(4, scope="s"))
    assert sorted(sent(stack)) == [[0, 3], [1], [2], [4]]


def fails(error: type[RequestError]) -> Handler:
    def handler(request: InferRequest) -> dict[str, Any]:
        if (request.inputs["x"] == GUILTY).any():
            raise error("a bad row", model="m")
        return negative(request)

    return handler


@pytest.mark.parametrize("error", [InvalidInput, InferenceFailed])
@pytest.mark.parametrize("guilty", [{0}, {7}, {2, 5}, set(range(8))])
async def test_a_bad_row_fails_alone(error: type[RequestError], guilty: set[int]) -> None:
    """And a joined request of n calls costs 2n - 1 at the worst, itself included."""
    stack = stacked(fails(error))
    await known(stack)
    answers = await together(
        stack, *(request(GUILTY if n in guilty else float(n)) for n in range(8))
    )
    for n, answer in enumerate(answers):
        if n in guilty:
            assert type(answer) is error
            assert str(answer) == "a bad row"
            assert answer.model == "m"
        else:
            assert isinstance(answer, InferResponse)
            assert answer["y"].tolist() == [[-n]]
    assert len(sent(stack)) <= 15
    assert empty(stack)


@pytest.mark.parametrize("error", [ServerUnavailable, ServerOverloaded, DeadlineExceeded])
async def test_what_is_no_rows_fault_is_everybodys_and_not_sent_again(
    error: type[RequestError],
) -> None:
    stack = stacked(fails(error))
    await known(stack)
    answers = await together(stack, request(1), request(GUILTY), request(3))
    assert [type(answer) for answer in answers] == [error] * 3
    assert len(set(map(id, answers))) == 3
    assert len(sent(stack)) == 1
    assert empty(stack)


async def test_an_error_that_is_not_ours_reaches_everybody() -> None:
    def broken(request: InferRequest) -> dict[str, Any]:
        if len(request.inputs["x"]) > 1:
            raise ZeroDivisionError("a bug")
        return negative(request)

    stack = stacked(broken)
    await known(stack)
    answers = await together(stack, request(1), request(2))
    assert [type(answer) for answer in answers] == [ZeroDivisionError] * 2


async def test_a_model_that_takes_fewer_rows_by_now_is_asked_again() -> None:
    stack = stacked(lambda r: fails_above(r, 2))
    await known(stack)
    stack.transport._max_batch_size = 2  # type: ignore[attr-defined]
    answers = await together(stack, *(request(n) for n in range(4)))
    assert all(isinstance(answer, InferResponse) for answer in answers)
    await known(stack)
    await together(stack, *(request(n) for n in range(4)))
    assert max(len(rows) for rows in sent(stack)) == 2


def fails_above(request: InferRequest, rows: int) -> dict[str, Any]:
    if len(request.inputs["x"]) > rows:
        raise InvalidInput("too many rows")
    return negative(request)


async def test_outputs_that_are_not_by_row_end_the_joining(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is guessed: each call is sent again by itself, and from then on."""
    caplog.set_level(logging.DEBUG, "tritonkit")
    stack = stacked(lambda r: {"y": r.inputs["x"].sum(keepdims=True)})
    await known(stack)
    answers = await together(stack, request(1), request(2))
    assert [a["y"].tolist() for a in answers] == [[[1]], [[2]]]
    assert sent(stack) == [[1, 2], [1], [2]]
    assert "output 'y' has shape [1, 1] for 2 rows" in caplog.text
    await together(stack, request(3), request(4))
    assert sent(stack)[3:] == [[3], [4]]
    assert empty(stack)


async def test_each_stops_at_its_own_deadline() -> None:
    gate, _, handler = gated()
    stack = stacked(handler)
    gate.set()
    await known(stack)
    gate.clear()
    end = monotonic() + 60
    late = asyncio.ensure_future(stack(request(2, deadline=end)))
    with pytest.raises(DeadlineExceeded, match="'m'"):
        await stack(request(1, deadline=monotonic() + 0.02))
    assert not late.done()
    gate.set()
    assert (await late)["y"].tolist() == [[-2]]
    (joined,) = stack.transport.requests  # type: ignore[attr-defined]
    assert joined.deadline == end
    assert empty(stack)


async def test_a_deadline_that_has_passed_is_for_the_transport() -> None:
    stack = stacked()
    await known(stack)
    past = request(1, deadline=monotonic() - 1)
    await together(stack, past, request(2))
    assert past in stack.transport.requests  # type: ignore[attr-defined]


async def test_a_call_in_a_hurry_does_not_wait() -> None:
    gate, _, handler = gated()
    stack = stacked(handler, Coalesce(window="60s", max_in_flight=1))
    first = asyncio.ensure_future(stack(request(1)))
    await until(lambda: sent(stack))
    hurried = asyncio.ensure_future(stack(request(2, deadline=monotonic() + 50)))
    await until(lambda: len(sent(stack)) == 2)
    gate.set()
    assert (await hurried)["y"].tolist() == [[-2]]
    await first


def gated() -> tuple[asyncio.Event, list[str], Handler]:
    gate, ends = asyncio.Event(), []

    async def handler(request: InferRequest) -> dict[str, Any]:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        ends.append("answered")
        return negative(request)

    return gate, ends, handler


async def test_who_leaves_takes_nobody_along() -> None:
    gate, ends, handler = gated()
    stack = stacked(handler)
    gate.set()
    await known(stack)
    gate.clear()
    ends.clear()
    calls = [asyncio.ensure_future(stack(request(n))) for n in range(3)]
    await asyncio.sleep(0.01)
    calls[0].cancel()
    await asyncio.sleep(0.01)
    gate.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert [answer["y"].tolist() for answer in answers[1:]] == [[[-1]], [[-2]]]
    assert ends == ["answered"]
    assert empty(stack)


async def test_when_all_have_left_the_request_is_cancelled() -> None:
    gate, ends, handler = gated()
    stack = stacked(handler)
    gate.set()
    await known(stack)
    gate.clear()
    ends.clear()
    calls = [asyncio.ensure_future(stack(request(n))) for n in range(3)]
    await asyncio.sleep(0.01)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ends == ["cancelled"]
    assert empty(stack)


async def test_who_leaves_before_is_not_sent() -> None:
    gate, _, handler = gated()
    stack = stacked(handler, Coalesce(max_in_flight=1))
    first = asyncio.ensure_future(stack(request(0)))
    await until(lambda: sent(stack))
    calls = [asyncio.ensure_future(stack(request(n))) for n in (1, 2, 3)]
    await asyncio.sleep(0.01)
    calls[1].cancel()
    gate.set()
    await asyncio.gather(first, *calls, return_exceptions=True)
    assert sent(stack) == [[0], [1, 3]]
    assert empty(stack)


@pytest.mark.parametrize("turns", range(6))
async def test_leaving_in_any_turn_of_the_loop_leaks_nothing(turns: int) -> None:
    stack = stacked(lambda request: asyncio.sleep(0, negative(request)))
    await known(stack)
    for leaving in ({0}, {1}, {0, 1, 2}):
        calls = [asyncio.ensure_future(stack(request(n))) for n in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for n in leaving:
            calls[n].cancel()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for n, answer in enumerate(answers):
            assert n in leaving or answer["y"].tolist() == [[-n]]
        for _ in range(4):
            await asyncio.sleep(0)
        assert empty(stack)


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_each_gets_its_own(seed: int) -> None:
    """Calls of 1 to 3 rows that are right, guilty, in a hurry or cancelled, in any order."""
    random = np.random.default_rng(seed)

    async def handler(request: InferRequest) -> dict[str, Any]:
        await asyncio.sleep(random.choice([0, 0.001, 0.004]))
        return fails(InvalidInput)(request)

    layer = Coalesce(max_in_flight=int(random.integers(1, 4)), window=random.choice([0, 0.002]))
    stack = stacked(handler, layer)

    async def caller(number: int) -> str:
        await asyncio.sleep(random.choice([0, 0.001, 0.01]))
        rows = [float(10 * number + n) for n in range(1, random.integers(2, 5))]
        fate = random.choice(["right", "right", "right", "guilty", "hurried", "cancelled"])
        if fate == "guilty":
            rows[random.integers(len(rows))] = GUILTY
        deadline = monotonic() + random.choice([0.0005, 0.003]) if fate == "hurried" else None
        call = asyncio.ensure_future(stack(request(*rows, deadline=deadline, id=str(number))))
        if fate == "cancelled":
            await asyncio.sleep(random.choice([0, 0, 0.001]))
            call.cancel()
        try:
            answer = await call
        except InvalidInput:
            assert fate == "guilty"
        except DeadlineExceeded:
            assert fate == "hurried"
        except asyncio.CancelledError:
            assert fate == "cancelled"
        else:
            assert fate != "guilty"
            assert answer.id == str(number)
            assert answer["y"].ravel().tolist() == [-row for row in rows]
        return str(fate)

    fates = await asyncio.gather(*(caller(number) for number in range(150)))
    assert len(set(fates)) == 4
    await asyncio.sleep(0.01)
    assert empty(stack)
    transport: FakeTransport = stack.transport  # type: ignore[assignment]
    assert max(len(r.inputs["x"]) for r in transport.requests) == 8


async def test_a_request_cancelled_from_outside_cancels_its_callers() -> None:
    """As the end of an event loop does."""

    async def cancelled(request: InferRequest) -> dict[str, Any]:
        if len(request.inputs["x"]) > 1:
            raise asyncio.CancelledError
        return negative(request)

    stack = stacked(cancelled)
    await known(stack)
    answers = await together(stack, request(1), request(2))
    assert [type(answer) for answer in answers] == [asyncio.CancelledError] * 2
    assert empty(stack)


async def test_the_trace_goes_along_by_row() -> None:
    def traced(request: InferRequest) -> InferResponse:
        origins = tuple(f"store {x:g}" for x in request.inputs["x"].ravel())
        trace = Trace(origins=origins, ages=tuple(map(float, range(len(origins)))))
        return InferResponse(model="m", outputs=negative(request), trace=trace)

    stack = stacked(traced)
    await known(stack)
    first, second = await together(stack, request(1), request(2, 3))
    assert first.trace == Trace(origins=("store 1",), ages=(0.0,))
    assert second.trace == Trace(origins=("store 2", "store 3"), ages=(1.0, 2.0))


def lengths_of(request: InferRequest) -> dict[str, Any]:
    texts = request.inputs["text"].ravel().tolist()
    return {"y": np.array([[float(len(text))] for text in texts], dtype=np.float32)}


def texts(handler: Handler) -> Stack:
    return stacked(
        handler, Coalesce(by_length=2), inputs={"text": [1]}, datatypes={"text": "BYTES"}
    )


def text(length: int, **fields: Any) -> InferRequest:
    return request(inputs={"text": np.array([["a" * length]], dtype=np.object_)}, **fields)


async def test_texts_go_in_turn_by_length() -> None:
    stack = texts(lengths_of)
    await stack(text(1))
    stack.transport.requests.clear()  # type: ignore[attr-defined]
    at_work = most = 0

    async def handler(request: InferRequest) -> dict[str, Any]:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.001)
        at_work -= 1
        return lengths_of(request)

    stack.transport.handler = handler  # type: ignore[attr-defined]
    lengths = [7, 1, 40, 6, 2]
    answers = await together(stack, *map(text, lengths))
    assert [answer["y"].item() for answer in answers] == lengths
    parts = [
        lengths_of(r)["y"].ravel().tolist()
        for r in stack.transport.requests  # type: ignore[attr-defined]
    ]
    assert parts == [[1, 2], [6, 7], [40]]
    assert most == 1
    assert empty(stack)


async def test_who_leaves_between_the_parts_is_not_sent() -> None:
    gate, _, _ = gated()

    async def handler(request: InferRequest) -> dict[str, Any]:
        await gate.wait()
        return lengths_of(request)

    stack = texts(handler)
    gate.set()
    await stack(text(1))
    gate.clear()
    stack.transport.requests.clear()  # type: ignore[attr-defined]
    late = monotonic() + 0.2
    calls = [asyncio.ensure_future(stack(text(n))) for n in (1, 2, 4, 5)]
    calls.append(asyncio.ensure_future(stack(text(3, deadline=late))))
    await asyncio.sleep(0.005)
    calls[2].cancel()
    await asyncio.wait(calls[4:], timeout=10)
    gate.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [answers[n]["y"].item() for n in (0, 1, 3)] == [1, 2, 5]
    assert isinstance(answers[4], DeadlineExceeded)
    assert len(stack.transport.requests) == 2  # type: ignore[attr-defined]
    assert empty(stack)


def test_an_event_loop_joins_its_own() -> None:
    stack = stacked()
    layer = layer_of(stack)
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(together(stack, request(1), request(2)))
        loop.close()
    assert len(layer._groups) == 1
    threads = [
        threading.Thread(target=lambda: asyncio.run(together(stack, request(1), request(2))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert empty(stack)


async def test_without_a_server_to_ask_nothing_is_joined() -> None:
    seen = []

    async def service(request: InferRequest) -> InferResponse:
        seen.append(request)
        return InferResponse(model="m", outputs=negative(request))

    stack = Stack(service, [Coalesce()])
    await together(stack, request(1), request(2))
    assert len(seen) == 2


async def test_who_cannot_be_asked_is_sent_the_request_itself() -> None:
    stack = stacked()

    async def refuse(*arguments: Any, **options: Any) -> dict[str, Any]:
        raise ServerUnavailable("down")

    stack.transport.config = refuse  # type: ignore[attr-defined]
    answers = await together(stack, request(1), request(2))
    assert [a["y"].tolist() for a in answers] == [[[-1]], [[-2]]]


def test_wrong_arguments_are_refused() -> None:
    for wrong in (
        {"max_rows": 0},
        {"by_length": 0},
        {"max_in_flight": 0},
        {"window": "2"},
        {"window": -1},
    ):
        with pytest.raises(ConfigError):
            Coalesce(**wrong)


def test_a_layer_stands_in_one_stack() -> None:
    layer = Coalesce()
    stacked(layer=layer)
    with pytest.raises(ConfigError, match="one stack"):
        stacked(layer=layer)


def test_it_is_shown_as_it_is_written() -> None:
    assert repr(Coalesce()) == "Coalesce(window='2ms')"
    assert repr(Coalesce(max_rows=8, window=0.5)) == "Coalesce(max_rows=8, window='500ms')"


async def test_the_rows_of_many_callers_on_triton(triton: Triton) -> None:
    async with (
        AsyncClient(triton.http) as plain,
        AsyncClient(triton.http, [Coalesce()]) as client,
    ):
        rows = np.random.default_rng(0).standard_normal((40, 16), dtype=np.float32)
        before = await calls(plain.statistics("shifty"))
        answers = await asyncio.gather(
            *(client.infer("shifty", {"x": row[None]}, timeout="20s") for row in rows)
        )
        for row, answer in zip(rows, answers, strict=True):
            np.testing.assert_array_equal(answer["y"], row[None])
        assert await calls(plain.statistics("shifty")) - before <= 10
        with pytest.raises(InvalidInput):
            await client.infer("shifty", {"x": [1.0]})


async def calls(statistics: Awaitable[list[dict[str, Any]]]) -> int:
    return int((await statistics)[0]["inference_stats"]["success"]["count"])


def test_threads_are_joined_and_a_fork_begins_anew(triton: Triton) -> None:
    with Client(triton.http, [Coalesce()]) as client:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for n in range(20):
                    x = np.full((1, 16), number * 100 + n, dtype=np.float32)
                    np.testing.assert_array_equal(client.infer("same", {"x": x})["y"], x)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        # Python 3.12 warns of the threads, which is what is tested here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if not child:
            work(1)
            os._exit(len(failures))
        assert os.waitpid(child, 0)[1] == 0
