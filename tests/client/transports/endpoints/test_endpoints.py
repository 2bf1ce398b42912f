"""Endpoints over transports that do as they are told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any

import numpy as np
import pytest

from tritonkit.client import AsyncClient, Cache, Client, InferRequest, InferResponse, Memory, Stack
from tritonkit.client.identity.identities import Identities
from tritonkit.client.identity.identity import ENDPOINTS_DIFFER
from tritonkit.client.stack import Transport
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.client.transports import transport_for
from tritonkit.client.transports.endpoints.endpoints import Endpoints
from tritonkit.client.wire.address import Address
from tritonkit.errors import (
    ConfigError,
    InferenceFailed,
    InvalidInput,
    ModelUnavailable,
    NotConnected,
    NotKept,
    RequestError,
    ServerUnavailable,
)

REQUEST = InferRequest(model="m", inputs={"x": np.ones((1, 1), np.float32)})


class Server(FakeTransport):
    """Answers what it is called; or fails, hangs, is unready, or lacks the model."""

    def __init__(self, number: int, **options: Any) -> None:
        super().__init__(self._answer, inputs={"x": (1,)}, outputs={"y": (1,)}, **options)
        self.number = number
        self.error: Exception | None = None
        self.hangs = False
        self.lacks: set[str] = set()
        self.probes: list[str] = []
        self.cancelled = 0

    def __repr__(self) -> str:
        return f"Server({self.number})"

    async def _answer(self, request: InferRequest) -> dict[str, Any]:
        await self._pass(request.model)
        return {"y": request.inputs["x"] * 0 + self.number}

    async def _pass(self, model: str) -> None:
        if self.hangs:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if self.error is not None:
            raise self.error
        if model in self.lacks:
            raise ModelUnavailable(f"unknown model {model!r}", model=model)

    async def metadata(self, model: str, version: str = "", **options: Any) -> dict[str, Any]:
        await self._pass(model)
        return await super().metadata(model, version)

    async def config(self, model: str, version: str = "", **options: Any) -> dict[str, Any]:
        await self._pass(model)
        return await super().config(model, version)

    async def statistics(
        self, model: str = "", version: str = "", **options: Any
    ) -> list[dict[str, Any]]:
        await self._pass(model)
        return await super().statistics(model, version)

    async def ready(self, model: str = "", version: str = "", **options: Any) -> bool:
        self.probes.append(model)
        if self.hangs:
            await asyncio.sleep(60)
        if isinstance(self.error, ServerUnavailable):
            raise self.error
        return model not in self.lacks


def over(*servers: FakeTransport, **options: Any) -> Endpoints:
    """With little patience."""
    little = {"patience": "40ms", "probe_timeout": "40ms", "probe_interval": "20ms"}
    defaults = {**little, "ejection": "20ms", "failures": 2, "rng": random.Random(1)}
    return Endpoints(*servers, **{**defaults, **options})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def tell(endpoints: Endpoints, times: int = 20, **changes: Any) -> list[int]:
    """Who answers."""
    answers = [await endpoints(replace(REQUEST, **changes)) for _ in range(times)]
    return [int(answer["y"][0, 0]) for answer in answers]


async def both(endpoints: Endpoints, **changes: Any) -> None:
    """Either answers some time; one that was slow a moment ago is asked less."""
    seen = set[int]()
    async with asyncio.timeout(10):
        while seen != {0, 1}:
            seen |= set(await tell(endpoints, 2, **changes))


@pytest.fixture
def pair() -> tuple[Server, Server]:
    return Server(0), Server(1)


@pytest.fixture
async def endpoints(pair: tuple[Server, Server]) -> AsyncIterator[Endpoints]:
    one = over(*pair)
    yield one
    await one.aclose()
    assert all(state.outstanding == 0 for state in one.states)
    assert all(server.closed for server in pair)


async def test_all_are_asked(endpoints: Endpoints, pair: tuple[Server, Server]) -> None:
    """And nothing is probed while all are well."""
    await both(endpoints)
    assert sum(state.calls for state in endpoints.states) == sum(len(p.requests) for p in pair)
    assert [one.probes for one in pair] == [[], []]
    assert repr(endpoints) == "Endpoints('Server(0)', 'Server(1)')"


async def test_where_nothing_was_sent_another_is_asked_at_once(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """The caller sees nothing of it, and soon it is not tried any more."""
    pair[0].error = NotConnected("refused")
    answer = await endpoints(REQUEST)
    assert {1} == set(await tell(endpoints))
    assert answer.trace.attempts == 0
    assert endpoints.states[0].out
    tried = len(pair[0].requests)
    assert {1} == set(await tell(endpoints))
    assert len(pair[0].requests) == tried
    pair[0].error = None
    await until(lambda: not endpoints.states[0].out)
    await both(endpoints)


async def test_what_was_sent_is_not_sent_again(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """Whether it may be is for Retry to say."""
    pair[0].error = pair[1].error = ServerUnavailable("it broke")
    with pytest.raises(ServerUnavailable, match="it broke"):
        await endpoints(REQUEST)
    assert sum(len(one.requests) for one in pair) == 1


async def test_nobody_there(endpoints: Endpoints, pair: tuple[Server, Server]) -> None:
    """Each is tried once a call, also those that are out."""
    pair[0].error = pair[1].error = NotConnected("refused")
    for _ in range(4):
        with pytest.raises(NotConnected):
            await endpoints(REQUEST)
    assert [len(one.requests) for one in pair] == [4, 4]


async def test_an_unloaded_model_is_asked_for_elsewhere(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """Other models stay; when it is loaded again it is found by a probe."""
    pair[0].lacks.add("m")
    answers = [await endpoints(REQUEST) for _ in range(20)]
    assert {1} == {int(answer["y"][0, 0]) for answer in answers}
    assert len(pair[0].requests) == 1
    assert sorted({answer.trace.attempts for answer in answers}) == [0, 2]
    assert endpoints.states[0].without == ("m",)
    assert not endpoints.states[0].out
    await both(endpoints, model="n")
    await until(lambda: "m" in pair[0].probes)
    pair[0].lacks.clear()
    await until(lambda: not endpoints.states[0].without)
    await both(endpoints)


async def test_a_model_that_is_nowhere(endpoints: Endpoints, pair: tuple[Server, Server]) -> None:
    """The first call asks each of them, the next ones one alone."""
    for one in pair:
        one.lacks.add("typo")
    for _ in range(5):
        with pytest.raises(ModelUnavailable, match="unknown model 'typo'"):
            await endpoints(replace(REQUEST, model="typo"))
    assert sum(len(one.requests) for one in pair) == 2 + 4


async def test_the_calls_of_a_black_hole_end_soon(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """It answers neither calls nor probes: what is in flight fails, others go elsewhere."""
    pair[0].hangs = True
    calls = [asyncio.ensure_future(endpoints(REQUEST)) for _ in range(8)]
    async with asyncio.timeout(5):
        results = await asyncio.gather(*calls, return_exceptions=True)
    lost = [one for one in results if isinstance(one, ServerUnavailable)]
    assert lost
    assert "answers neither its calls nor a probe" in str(lost[0])
    assert pair[0].cancelled == len(lost)
    assert endpoints.states[0].out
    assert {1} == set(await tell(endpoints))
    pair[0].hangs = False
    await until(lambda: not endpoints.states[0].out)
    await both(endpoints)


async def test_calls_with_deadlines_find_a_black_hole_too(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """Each leaves before the endpoint is suspect; together they are silence."""
    pair[0].hangs = True

    async with asyncio.timeout(10):
        while not endpoints.states[0].out:
            with suppress(TimeoutError, ServerUnavailable):
                async with asyncio.timeout(0.02):
                    await endpoints(REQUEST)
    assert {1} == set(await tell(endpoints))


async def test_a_long_computation_is_no_black_hole(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """Its probes are answered."""
    gates = [asyncio.Event(), asyncio.Event()]

    async def slowly(request: InferRequest) -> dict[str, Any]:
        await gates[0].wait()
        return {"y": request.inputs["x"]}

    for one in pair:
        one.handler = slowly
    call = asyncio.ensure_future(endpoints(REQUEST))
    await until(lambda: sum(len(one.probes) for one in pair) >= 3)
    gates[0].set()
    assert "y" in await call
    assert not any(state.out for state in endpoints.states)


async def test_a_server_that_stops_is_asked_no_more(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """It says that it is not ready, and answers what it has begun."""
    gate = asyncio.Event()

    async def last(request: InferRequest) -> dict[str, Any]:
        await gate.wait()
        return {"y": request.inputs["x"]}

    pair[0].handler = last
    pair[0].lacks.add("")
    calls = [asyncio.ensure_future(endpoints(REQUEST)) for _ in range(6)]
    await until(lambda: endpoints.states[0].out)
    gate.set()
    assert len(await asyncio.gather(*calls)) == 6


async def test_a_caller_that_leaves_says_nothing(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """Its call is cancelled at the endpoint, which is not blamed."""
    pair[0].hangs = pair[1].hangs = True
    for _ in range(10):
        call = asyncio.ensure_future(endpoints(REQUEST))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert sum(one.cancelled for one in pair) == 10
    assert all(state.failures == state.outstanding == 0 for state in endpoints.states)


async def test_a_request_that_is_wrong_says_nothing(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """It is wrong everywhere."""
    pair[0].error = pair[1].error = InvalidInput("no such input")
    for _ in range(20):
        with pytest.raises(InvalidInput):
            await endpoints(REQUEST)
    assert all(state.failures == 0 for state in endpoints.states)


async def test_what_is_only_kept_is_not_here(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """No endpoint is asked."""
    with pytest.raises(NotKept):
        await endpoints(replace(REQUEST, only_kept=True))
    assert [one.requests for one in pair] == [[], []]


async def test_a_model_that_fails_on_one_is_asked_for_on_the_other(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """After its failures; not more than the share, when it fails on both."""
    pair[0].error = InferenceFailed("out of memory")
    failed = 0
    for _ in range(30):
        try:
            await endpoints(REQUEST)
        except InferenceFailed:
            failed += 1
    assert failed == endpoints.states[0].failures == 2
    pair[1].error = InferenceFailed("out of memory")
    for _ in range(10):
        with pytest.raises(InferenceFailed):
            await endpoints(REQUEST)


async def test_the_steps_of_a_sequence_go_to_one(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """And nowhere else, when it is away."""
    whose = {n: set(await tell(endpoints, 5, parameters={"sequence_id": n})) for n in range(1, 20)}
    assert {(0,), (1,)} == {tuple(one) for one in whose.values()}
    mine = next(n for n, one in whose.items() if one == {0})
    pair[0].error = NotConnected("refused")
    with pytest.raises(NotConnected):
        await tell(endpoints, 1, parameters={"sequence_id": mine})


async def test_questions_are_answered_by_who_can(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """One that is away, or lacks the model, is not waited for."""
    pair[0].error = NotConnected("refused")
    assert (await endpoints.metadata("m"))["name"] == "m"
    assert await endpoints.ready("m")
    pair[0].error = None
    pair[0].lacks.add("m")
    assert (await endpoints.config("m"))["name"] == "m"
    pair[1].lacks.add("m")
    with pytest.raises(ModelUnavailable):
        await endpoints.config("m")


async def test_one_that_is_away_may_have_what_the_other_lacks(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """So the model is not said to be nowhere."""
    pair[0].lacks.add("m")
    pair[1].error = NotConnected("refused")
    for _ in range(5):
        with pytest.raises(NotConnected):
            await endpoints(REQUEST)
        with pytest.raises(NotConnected):
            await endpoints.config("m")


async def test_a_question_to_a_black_hole(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """Both hang: the answer is that neither is there."""
    pair[0].hangs = pair[1].hangs = True
    async with asyncio.timeout(5):
        with pytest.raises(ServerUnavailable):
            await endpoints.metadata("m")


async def test_statistics_of_each(endpoints: Endpoints, pair: tuple[Server, Server]) -> None:
    """In one order; those of an endpoint that is away are as they were last."""
    await tell(endpoints, 10)
    first = await endpoints.statistics("m", "1")
    assert [entry["endpoint"] for entry in first] == ["Server(0)", "Server(1)"]
    assert sum(entry["inference_count"] for entry in first) == 10
    pair[0].error = NotConnected("refused")
    assert await endpoints.statistics("m", "1") == first


async def test_a_restart_of_one_is_another_load(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """Though the counters together have grown; being away is none."""
    await tell(endpoints, 10)
    identities = Identities(endpoints)
    before = await identities.read("m", "")
    pair[0].error = NotConnected("refused")
    assert (await identities.read("m", "")).token == before.token
    pair[0].error = None
    await until(lambda: not endpoints.states[0].out)
    pair[0].counters = dict.fromkeys(pair[0].counters, 0)
    pair[1].counters = dict.fromkeys(pair[1].counters, 1000)
    assert (await identities.read("m", "")).token != before.token


@pytest.mark.parametrize("how", ["config", "versions"])
async def test_a_rollout_is_told_and_nothing_kept(
    endpoints: Endpoints, pair: tuple[Server, Server], how: str
) -> None:
    """While endpoints serve different models, each call is answered by a model."""

    async def config() -> dict[str, Any]:
        return await endpoints.config("m")

    def state(number: int, which: str) -> None:
        digest = which if how == "config" else "same"
        parameters = {"tritonkit.model_digest": {"string_value": digest}}
        pair[number].model_config["parameters"] = parameters
        if how == "versions":
            pair[number].versions[:] = [which]

    async with AsyncClient(endpoints, [Cache(Memory("1MB"), recheck=0)]) as client:

        async def ask() -> InferResponse:
            return await client.infer("m", {"x": [[1.0]]})

        state(0, "1")
        state(1, "1")
        await ask()
        assert (await ask()).trace.origins == ("memory",)
        state(0, "2")
        assert (await config())["parameters"][ENDPOINTS_DIFFER] == {
            "string_value": "Server(0), Server(1)"
        }
        assert {(await ask()).trace.origins for _ in range(5)} == {()}
        state(1, "2")
        assert ENDPOINTS_DIFFER not in (await config())["parameters"]
        assert (await ask()).trace.origins == ("model",)
        assert (await ask()).trace.origins == ("memory",)


async def test_how_a_model_is_run_is_no_difference(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """Two instances here and one there give the same answers."""
    pair[0].model_config["instance_group"] = [{"count": 2}]
    assert "parameters" not in await endpoints.config("m")


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Names:
    """A name server."""

    def __init__(self, *hosts: str) -> None:
        self.hosts: Sequence[str] | Exception = hosts
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        if isinstance(self.hosts, Exception):
            raise self.hosts
        return self.hosts


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def answers_ready(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def hosts_of(endpoints: Endpoints) -> list[str]:
    return [Address.parse(state.name).host for state in endpoints.states]


async def test_a_name_becomes_its_addresses(
    fault_server: Callable[[Serve], Awaitable[Address]],
) -> None:
    """They change with the name server's answers, and stay where it has none."""
    server = await fault_server(answers_ready)
    names = Names("127.0.0.1", "127.0.0.9")
    url = f"http://triton.example:{server.port}"
    endpoints = Endpoints(url, dns="20ms", resolver=names, patience="40ms", probe_timeout="40ms")
    assert hosts_of(endpoints) == ["triton.example"]

    async def become(*hosts: str) -> None:
        async with asyncio.timeout(10):
            while hosts_of(endpoints) != list(hosts):
                with suppress(ServerUnavailable):
                    await endpoints.ready(deadline=monotonic() + 1)
                await asyncio.sleep(0.01)

    await become("127.0.0.1", "127.0.0.9")
    assert await endpoints.ready(deadline=monotonic() + 5)
    assert names.asked[0] == ("triton.example", server.port)
    names.hosts = ("127.0.0.1", "127.0.0.1")
    await become("127.0.0.1")
    names.hosts = OSError("no answer")
    asked = len(names.asked)
    while len(names.asked) < asked + 3:
        assert await endpoints.ready(deadline=monotonic() + 5)
        await asyncio.sleep(0.01)
    assert hosts_of(endpoints) == ["127.0.0.1"]
    names.hosts = ("::1", "127.0.0.1")
    await become("127.0.0.1", "::1")
    await endpoints.aclose()


async def test_something_stands_around_every_endpoint(
    fault_server: Callable[[Serve], Awaitable[Address]],
) -> None:
    """Also around those that a name leads to later."""
    server = await fault_server(answers_ready)
    url = f"http://triton.invalid:{server.port}"
    endpoints = Endpoints(url, dns="1h", resolver=Names("127.0.0.1"))
    around: dict[str, list[Transport]] = {}

    def wrap(name: str, transport: Transport) -> Transport:
        around.setdefault(name, []).append(transport)
        return transport

    endpoints.around(wrap)

    assert await endpoints.ready(deadline=monotonic() + 5)
    assert list(around) == [url, f"http://127.0.0.1:{server.port}"]
    assert [len(transports) for transports in around.values()] == [1, 1]
    await endpoints.aclose()


@pytest.mark.parametrize("what", ["question", "request"])
async def test_names_are_looked_up_where_nobody_is_there(
    fault_server: Callable[[Serve], Awaitable[Address]], what: str
) -> None:
    """The first call needs no name that connects, nor one whose addresses have all changed."""
    server = await fault_server(answers_ready)
    names, clock = Names("127.0.0.1"), Clock()
    url = f"http://triton.invalid:{server.port}"
    endpoints = Endpoints(url, dns="1h", resolver=names, clock=clock)

    async def ask() -> None:
        if what == "question":
            assert await endpoints.ready(deadline=monotonic() + 5)
            return
        # Somebody is there, who does not know how to answer.
        with pytest.raises(RequestError) as caught:
            await endpoints(replace(REQUEST, deadline=monotonic() + 5))
        if isinstance(caught.value, NotConnected):
            raise caught.value

    await ask()
    assert hosts_of(endpoints) == ["127.0.0.1"]
    names.hosts = ("127.0.0.9",)
    endpoints._crew._look_up(endpoints._crew._watch)  # type: ignore[arg-type]
    await until(lambda: hosts_of(endpoints) == ["127.0.0.9"])
    names.hosts = ("127.0.0.1",)
    looks = len(names.asked)
    # Less than a second ago somebody looked.
    clock.now += 0.9
    with pytest.raises(NotConnected):
        await ask()
    assert len(names.asked) == looks
    clock.now += 0.1
    await ask()
    assert len(names.asked) == looks + 1
    await endpoints.aclose()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
async def test_to_a_name_without_an_address_nothing_was_sent(scheme: str) -> None:
    """So another endpoint may be asked at once."""
    transport = transport_for(f"{scheme}://triton.invalid:1")
    with pytest.raises(NotConnected):
        await transport(replace(REQUEST, deadline=monotonic() + 20))
    await transport.aclose()


async def test_many_that_find_nobody_look_once(
    fault_server: Callable[[Serve], Awaitable[Address]],
) -> None:
    server = await fault_server(answers_ready)
    names = Names("127.0.0.1")
    one = Endpoints(f"http://triton.invalid:{server.port}", dns="1h", resolver=names)
    asked = [one.ready(deadline=monotonic() + 5) for _ in range(20)]
    assert await asyncio.gather(*asked) == [True] * 20
    assert len(names.asked) == 1
    await one.aclose()


@pytest.mark.parametrize(
    ("servers", "options", "message"),
    [
        ((), {}, "at least one server"),
        (("http://a", "http://a:80/"), {}, "named once, but got 'http://a:80/' twice"),
        (("ftp://a",), {}, "must start with"),
        (("https://a",), {"dns": "30s"}, "does not go with TLS"),
        (("http://a",), {"failures": -1}, "failures must not be negative, but got -1"),
        (("http://a",), {"max_ejected": 1.5}, "max_ejected must be 0 to 1"),
        (("http://a",), {"failure_rate": "200%"}, "failure_rate must be 0 to 1"),
        (("http://a",), {"patience": "soon"}, "patience must be"),
        (("http://a",), {"ejection": "2m"}, "max_ejection must not be less than ejection"),
    ],
)
def test_what_is_wrong_is_named(
    servers: tuple[str, ...], options: dict[str, Any], message: str
) -> None:
    """At construction, with the value."""
    with pytest.raises(ConfigError, match=message):
        Endpoints(*servers, **options)


def test_several_urls_make_endpoints() -> None:
    """For either client."""
    client = Client(["http://a:1", "grpc://b:2"])
    assert repr(client) == "Client(Stack(Endpoints('http://a:1', 'grpc://b:2')))"
    client.close()


def test_transports_of_the_users_own_are_kept() -> None:
    """Two of one name are told apart; TLS goes with addresses."""
    one = Endpoints(Server(7), Server(7), "https://127.0.0.1", dns="1s")
    names = [state.name for state in one.states]
    assert names == ["Server(7)", "Server(7) #2", "https://127.0.0.1:443"]


def test_another_event_loop_takes_over(pair: tuple[Server, Server]) -> None:
    """When the first one is closed, whatever it left in flight."""
    endpoints = over(*pair)

    async def leave() -> None:
        pair[0].hangs = pair[1].hangs = True
        asyncio.ensure_future(endpoints(REQUEST))  # noqa: RUF006
        await asyncio.sleep(0.01)

    async def use() -> None:
        pair[0].hangs = pair[1].hangs = False
        await both(endpoints)
        assert all(state.outstanding == 0 for state in endpoints.states)
        await endpoints.aclose()

    asyncio.run(leave())
    asyncio.run(use())


async def test_it_stands_under_a_stack_and_closes(pair: tuple[Server, Server]) -> None:
    """Afterwards it refuses, and nothing goes on."""
    endpoints = over(*pair)
    pair[0].error = NotConnected("refused")
    stack = Stack(endpoints)
    for _ in range(10):
        await stack(REQUEST)
    await stack.aclose()
    probes = len(pair[0].probes)
    await asyncio.sleep(0.1)
    assert len(pair[0].probes) == probes
    with pytest.raises(ConfigError, match="closed"):
        await stack(REQUEST)
