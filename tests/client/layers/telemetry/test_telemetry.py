"""What is counted of calls, under which labels, and how it reads."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tritonkit.client import (
    Arm,
    AsyncClient,
    Breaker,
    Budget,
    Cache,
    Coalesce,
    Constant,
    Control,
    Costs,
    Deadline,
    Endpoints,
    Hedge,
    InferRequest,
    InferResponse,
    LatencySketch,
    Layer,
    Limit,
    Price,
    Quota,
    Reading,
    Retry,
    Route,
    Service,
    Shadow,
    Snapshot,
    Split,
    SqliteLog,
    Stack,
    Telemetry,
    Tiers,
    Tokens,
    Trace,
)
from tritonkit.client.layers.telemetry.book import Book
from tritonkit.client.layers.telemetry.families import FAMILIES
from tritonkit.client.layers.telemetry.prometheus import MetricsCollector
from tritonkit.errors import (
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    LimitExceeded,
    ModelUnavailable,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from tests.client.layers.conftest import Kit, Model


class Marks(Layer):
    """Sets fields of every answer's trace."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        response = await inner(request)
        return replace(response, trace=replace(response.trace, **self.fields))


class Tells(Layer):
    """Has numbers of its own."""

    def __init__(self, *readings: Reading) -> None:
        self.readings = readings

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        response: InferResponse = await inner(request)
        return response

    def observe(self) -> Iterator[Reading]:
        yield from self.readings


def keys(snapshot: Snapshot) -> dict[tuple[str, str, str, str], int]:
    return {
        (each.model, each.tier, each.arm, each.cache): each.requests for each in snapshot.answered
    }


def scraped(telemetry: Telemetry) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Samples by name and labels, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(telemetry.collector())
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "client"}
            found.setdefault(sample.name, {})[tuple(sorted(labels.items()))] = sample.value
    return found


async def test_calls_by_where_the_answer_came_from(kit: type[Kit], model: Model) -> None:
    """A hit at once, a hit of a call, a miss, and one of both."""
    telemetry = Telemetry()
    stack = Stack(model.transport, [telemetry, Cache(clock=model.clock)])
    await kit.ask(stack, [1, 2])
    await kit.ask(stack, [1, 2])
    await kit.ask(stack, [1, 3, 3])
    x = np.array([[1]], dtype=np.float32)
    assert stack.now(InferRequest(model="m", inputs={"x": x})) is not None
    missing = np.array([[9]], dtype=np.float32)
    assert stack.now(InferRequest(model="m", inputs={"x": missing})) is None
    snapshot = telemetry.snapshot()
    assert keys(snapshot) == {
        ("m", "", "", "memory"): 2,
        ("m", "", "", "mixed"): 1,
        ("m", "", "", "model"): 1,
    }
    assert snapshot.origins == {"m": {"coalesced": 1, "memory": 4, "model": 3}}
    assert sum(each.rows for each in snapshot.answered) == 8
    assert (snapshot.requests, snapshot.errors, snapshot.in_flight) == (4, 0, 0)
    # A second look adds nothing.
    assert telemetry.snapshot() == snapshot


async def test_tiers_arms_and_degraded_answers(kit: type[Kit], model: Model) -> None:
    telemetry = Telemetry()
    tiers = Tiers(Route("accurate", layers=[Breaker()]), Route("fast", version="2"))
    marks = Marks(arms=(("colour", "red"), ("size", "big")))
    stack = Stack(model.transport, [telemetry, marks, tiers])
    await kit.ask(stack, [1])
    model.failure = None
    handler = model.transport.handler

    def first_fails(request: InferRequest) -> Any:
        if not request.version:
            raise ServerUnavailable("gone", model="m")
        return handler(request)

    model.transport.handler = first_fails
    await kit.ask(stack, [1])
    snapshot = telemetry.snapshot()
    arm = "colour:red,size:big"
    assert keys(snapshot) == {("m", "accurate", arm, "model"): 1, ("m", "fast", arm, "model"): 1}
    assert snapshot.degraded == {"m": {"fallback": 1}}
    assert snapshot.tiers == {"m": {"accurate": 1, "fast": 1}}
    # Of the breaker inside the route.
    assert snapshot.total("breaker_circuits", tier="accurate", model="m", state="closed") == 1
    await stack.aclose()


async def test_arms_of_an_experiment(kit: type[Kit], model: Model) -> None:
    """Answers, and what the layers of an arm know, are labelled with the arm."""
    telemetry = Telemetry()
    split = Split("colour", Arm("red", layers=[Breaker()]), Arm("blue", weight=0))
    stack = Stack(model.transport, [telemetry, split])
    await kit.ask(stack, [1], tags={"user": "u17"})
    snapshot = telemetry.snapshot()
    assert keys(snapshot) == {("m", "", "colour:red", "model"): 1}
    assert snapshot.total("breaker_circuits", arm="colour:red", state="closed") == 1
    assert snapshot.total("assignments", experiment="colour", kind="assigned") == 1
    await stack.aclose()


async def test_the_log_of_experiments(kit: type[Kit], model: Model, tmp_path: Path) -> None:
    """What it wrote, and what it could not tell."""
    telemetry = Telemetry()
    async with SqliteLog(tmp_path / "events.db", budget="20s") as log:
        await log.steer("colour", Control(weights={"green": 1}))
        stack = Stack(model.transport, [telemetry, Split("colour", Arm("red"), Arm("blue"))])
        stack.record_to(log)
        await kit.ask(stack, [1], tags={"user": "u17"})
        await log.flush()
        snapshot = telemetry.snapshot()
        # An exposure and an answer.
        assert snapshot.total("experiment_events", kind="written") == 2
        assert snapshot.total("experiment_events", kind="lost") == 0
        faults = {
            kind: snapshot.total("assignment_faults", experiment="colour", kind=kind)
            for kind in ("unfit", "unstuck", "unread")
        }
        assert faults == {"unfit": 1, "unstuck": 0, "unread": 0}
        await stack.aclose()


async def test_failures_of_an_arm(model: Model) -> None:
    """Whoever watches an arm sees its errors, also those of several attempts."""
    model.failure = InferenceFailed("no")
    split = Split("size", Arm("small"), Arm("large"), by="user")
    layers = [Telemetry(models=["m"]), Retry(2, base=0), split]
    async with AsyncClient(model.transport, layers) as client:
        for number in range(20):
            with pytest.raises(InferenceFailed):
                await client.infer("m", [[1.0]], tags={"user": f"u{number}"})
        failed = {each.arm: each.requests for each in client.stats().failed}
    assert set(failed) == {"size:small", "size:large"}
    assert sum(failed.values()) == 20


async def test_a_shadow(kit: type[Kit], model: Model) -> None:
    """Its copies are no calls of the caller's; what its layers know has its name."""
    telemetry = Telemetry()
    shadow = Shadow(Route("next", layers=[Breaker()]), share="100%")
    stack = Stack(model.transport, [telemetry, shadow])
    await kit.ask(stack, [1])
    await kit.settle()
    await stack.aclose()
    snapshot = telemetry.snapshot()
    assert snapshot.requests == 1
    assert snapshot.total("shadow_copies", shadow="next", outcome="compared") == 1
    assert snapshot.total("breaker_circuits", tier="next", state="closed") == 1


async def test_errors_by_class(kit: type[Kit], model: Model) -> None:
    """What failed, who left, and what is no error of ours; their messages are nowhere."""
    telemetry = Telemetry()
    stack = Stack(model.transport, [telemetry])
    await kit.ask(stack, [1])

    class Own(InferenceFailed):
        """Somebody's own kind of one of ours."""

    for failure, kind in (
        (InvalidInput("secret"), InvalidInput),
        (Own("secret"), Own),
        (ZeroDivisionError("secret"), ZeroDivisionError),
    ):
        model.failure = failure
        with pytest.raises(kind):
            await kit.ask(stack, [1])
    model.failure, model.gate = None, asyncio.Event()
    call = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    assert telemetry.snapshot().in_flight == 1
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    snapshot = telemetry.snapshot()
    assert {each.error: each.requests for each in snapshot.failed} == {
        "Cancelled": 1,
        "InferenceFailed": 1,
        "InvalidInput": 1,
        "other": 1,
    }
    assert (snapshot.requests, snapshot.errors, snapshot.in_flight) == (1, 4, 0)
    assert "secret" not in snapshot.to_json()
    assert (
        scraped(telemetry)["tritonkit_errors_total"][
            ("arm", ""), ("kind", "Cancelled"), ("model", "m")
        ]
        == 1
    )


async def test_calls_that_never_came_to_the_stack(model: Model) -> None:
    """Their inputs do not fit, or the server is away before anybody knows what would."""
    model.transport.down = ServerUnavailable("gone")
    layers = [Telemetry(models=["m"]), Deadline("50ms"), Retry()]
    async with AsyncClient(model.transport, layers) as client:
        with pytest.raises(ServerUnavailable):
            await client.infer("m", [[1.0]])
        model.transport.down = None
        # A Deadline below Telemetry bounds the question what fits as well.
        model.transport.asking = asyncio.Event()
        with pytest.raises(DeadlineExceeded):
            await client.infer("m", [[1.0]])
        model.transport.asking.set()
        with pytest.raises(InvalidInput):
            await client.infer("m", [["text"]])
        with pytest.raises(InvalidInput):
            await client.infer("m", [[1.0]], outputs=["z"])
        await client.infer("m", [[1.0]])
        snapshot = client.stats()
    assert {each.error: each.requests for each in snapshot.failed} == {
        "DeadlineExceeded": 1,
        "InvalidInput": 2,
        "ServerUnavailable": 1,
    }
    assert (snapshot.requests, snapshot.in_flight) == (1, 0)


async def test_labels_are_bounded(kit: type[Kit], model: Model) -> None:
    """Names that never answered have no room; nor have more than so many; tags have none."""
    telemetry = Telemetry(models=["known"], most=4)
    layer = Marks()
    stack = Stack(model.transport, [telemetry, layer, Breaker()])
    model.failure = ModelUnavailable("no such model")
    for number in range(20):
        with pytest.raises(ModelUnavailable):
            await kit.ask(stack, [1], model=f"attack-{number}")
    with pytest.raises(ModelUnavailable):
        await kit.ask(stack, [1], model="known")
    model.failure = None
    for number in range(20):
        layer.fields = {"tiers": (f"tier-{number}",), "degraded": f"reason-{number}: text"}
        await kit.ask(stack, [1], model=f"m{number}", tags={"user": "u17"}, scope="acme", id="i1")
    snapshot = telemetry.snapshot()
    assert {(each.model, each.requests) for each in snapshot.failed} == {
        ("other", 20),
        ("known", 1),
    }
    assert len({each.model for each in snapshot.answered}) <= 5
    assert len({each.tier for each in snapshot.answered}) <= 5
    assert len(snapshot.degraded["other"]) <= 5
    assert sum(each.requests for each in snapshot.answered) == 20
    assert snapshot.overflows > 0
    circuits = [each for each in snapshot.readings if each.name == "breaker_circuits"]
    assert len(circuits) <= 3 * 5
    # Nothing is lost: models without a label are there together.
    assert sum(each.value for each in circuits) == 41
    text = snapshot.to_json()
    assert not any(word in text for word in ("u17", "acme", "i1", "attack"))


def test_what_there_is_no_room_for_is_counted_together() -> None:
    """More forms of traces than are remembered, more combinations than have a series."""
    book = Book([], most=100)
    x = np.zeros((2, 1), dtype=np.float32)
    requests = [InferRequest(model=f"m{number}", inputs={"x": x}) for number in range(40)]
    calls = 0
    for request in requests:
        for tier in range(30):
            for reason in ("", *(f"stale: {number}" for number in range(3))):
                trace = Trace(tiers=(f"t{tier}",), degraded=reason, attempts=1, cost=5)
                for _ in range(2):
                    book.answered(request, trace, 10**6, waited=False)
                    calls += 1
    answers = book.answers()
    assert len(answers) == 1001
    assert ("other", "other", "other", "other") in answers
    assert sum(each.latencies.count for each in answers.values()) == calls == 9600
    assert sum(each.rows for each in answers.values()) == 2 * calls
    assert sum(each.cost for each in answers.values()) == 5 * calls
    assert sum(each.attempts for each in answers.values()) == calls
    assert sum(book.rows_by_origin().values()) == 2 * calls
    assert sum(book.degraded().values()) == calls * 3 / 4
    assert book.overflows() > 0


async def test_a_constant_answers_for_any_name(kit: type[Kit], model: Model) -> None:
    """So it makes no model known; one that answers is known from there on, with its constants."""
    telemetry = Telemetry()
    tiers = Tiers(Route("first"), last=[Constant({"y": np.float32([0.0])})])
    stack = Stack(model.transport, [telemetry, tiers])
    model.transport.down = ServerUnavailable("gone")
    for name in ("attack-1", "attack-2", "half a character \ud800", "m"):
        assert (await kit.ask(stack, [1], model=name)).trace.degraded.startswith("constant")
    assert {each.model for each in telemetry.snapshot().answered} == {"other"}
    model.transport.down = None
    await kit.ask(stack, [1])
    model.transport.down = ServerUnavailable("gone")
    await kit.ask(stack, [1])
    snapshot = telemetry.snapshot()
    assert {(each.model, each.tier): each.requests for each in snapshot.answered} == {
        ("other", "constant"): 4,
        ("m", "first"): 1,
        ("m", "constant"): 1,
    }


async def test_a_name_that_cannot_be_written(kit: type[Kit], model: Model) -> None:
    """It stops no scrape."""
    telemetry = Telemetry()
    await kit.ask(Stack(model.transport, [telemetry]), [1], model="a\ud800")
    (key,) = scraped(telemetry)["tritonkit_requests_total"]
    assert ("model", "a?") in key


async def test_models_of_routes_have_their_names(kit: type[Kit], model: Model) -> None:
    """They are of the configuration, and take no room from those that callers ask."""
    telemetry = Telemetry(most=1)
    tiers = Tiers(Route("best", layers=[Limit()], model="large"), Route("cheap", model="small"))
    await kit.ask(stack := Stack(model.transport, [telemetry, tiers, Breaker()]), [1])
    readings = {
        each.name: each.labels for each in telemetry.snapshot().readings if "model" in each.labels
    }
    assert readings["limit_allowed"] == {"model": "large", "tier": "best"}
    assert readings["breaker_circuits"]["model"] == "large"
    assert {each.model for each in telemetry.snapshot().answered} == {"m"}
    await stack.aclose()


async def test_what_failed_routes_took(model: Model) -> None:
    """Attempts and cost are those that the caller's trace tells of."""

    def answer(request: InferRequest) -> Any:
        if request.model == "bad":
            raise InferenceFailed("no", model="bad")
        return {"y": request.inputs["x"]}

    model.transport.handler = answer
    budget = Budget(costs=Costs({"bad": Price("0.01"), "m": Price("0.002")}))
    tiers = Tiers(Route("a", layers=[Retry(2)], model="bad"), Route("b", layers=[Retry()]))
    layers = [Telemetry(), tiers, budget]
    async with AsyncClient(model.transport, layers) as client:
        found = (await client.infer("m", [[1.0]])).trace
        (answered,) = client.stats().answered
    assert found.attempts >= 2
    assert (answered.attempts, answered.cost) == (found.attempts, found.cost)


def test_rows_in_another_order_are_the_same_form() -> None:
    """Large requests, each with its own pattern of hits, are not remembered one by one."""
    book = Book([], most=100)
    request = InferRequest(model="m", inputs={"x": np.zeros((1000, 1), dtype=np.float32)})
    origins = ["memory"] * 300 + ["model"] * 700
    for seed in range(5):
        mixed = tuple(np.random.default_rng(seed).permutation(origins).tolist())
        book.answered(request, Trace(origins=mixed, tiers=mixed), 1000, waited=False)
    assert len(book._seen) == 1
    assert book.rows_by_origin() == {("m", "memory"): 1500, ("m", "model"): 3500}
    assert book.rows_by_tier() == book.rows_by_origin()


async def test_what_the_layers_know(kit: type[Kit], model: Model) -> None:
    """Retries, hedges, circuits, places, reservations: read when somebody looks."""
    telemetry = Telemetry(models=["m"])
    budget = Budget(
        Quota("3 calls", window="1h", name="calls"),
        Quota("1.00", window="1h"),
        costs=Costs({"m": Price(call="0.10")}),
    )
    stack = Stack(
        model.transport,
        [
            telemetry,
            Hedge(models=["m"], min_samples=0, budget="100%"),
            Retry(2, base=0, budget="100%"),
            budget,
            Limit(fixed=1, queue=0),
            Breaker(min_calls=0, failure_rate="100%"),
        ],
    )
    await kit.ask(stack, [1])
    model.failure = ServerUnavailable("gone")
    with pytest.raises(ServerUnavailable):
        await kit.ask(stack, [1])
    snapshot = telemetry.snapshot()
    assert snapshot.total("retries", model="m") == 1
    assert snapshot.total("budget_events", event="granted") == 3
    assert snapshot.total("budget_settled", quota="calls", purse="live") == 3
    assert snapshot.total("budget_settled", quota="1 in 1h") == 300_000
    assert snapshot.total("budget_limit", quota="1 in 1h", window="1h") == 1_000_000
    assert snapshot.cost == {"live": 300_000}
    assert snapshot.cost_per_success == 300_000
    assert snapshot.total("limit_allowed", model="m") == 1
    assert snapshot.total("limit_in_flight") == 0
    samples = scraped(telemetry)
    assert samples["tritonkit_cost_total"][(("purse", "live"),)] == 300_000
    assert samples["tritonkit_retries_total"][(("model", "m"),)] == 1
    await stack.aclose()


async def test_hedges_that_won_and_that_were_in_vain(kit: type[Kit], model: Model) -> None:
    telemetry = Telemetry()
    stack = Stack(model.transport, [telemetry, Hedge(models=["m"], min_samples=0, budget="100%")])
    slow = iter([0.0, 0.2, 0.0, 0.05, 0.2])

    async def answer(request: InferRequest) -> Any:
        await asyncio.sleep(next(slow))
        return {"y": request.inputs["x"]}

    model.transport.handler = answer
    # The first teaches what is usual; of the next the second request wins; then the first.
    for _ in range(3):
        await kit.ask(stack, [1])
    snapshot = telemetry.snapshot()
    sent = snapshot.total("hedges")
    assert (sent, snapshot.total("hedges_won"), snapshot.total("hedges_wasted")) == (2, 1, 1)
    await stack.aclose()


async def test_rows_of_different_tiers(kit: type[Kit], model: Model) -> None:
    """Each counts where it was answered: what a cascade sends on can be read off."""
    telemetry = Telemetry()
    marks = Marks(tiers=("fast", "fast", "accurate"))
    await kit.ask(Stack(model.transport, [telemetry, marks]), [1, 2, 3])
    snapshot = telemetry.snapshot()
    assert snapshot.tiers == {"m": {"accurate": 1, "fast": 2}}
    assert keys(snapshot) == {("m", "mixed", "", "model"): 1}


async def test_joined_calls(kit: type[Kit], model: Model) -> None:
    telemetry = Telemetry()
    stack = Stack(model.transport, [telemetry, Coalesce(max_in_flight=1)])
    await asyncio.gather(*[kit.ask(stack, [number]) for number in range(10)])
    snapshot = telemetry.snapshot()
    alone = len(model.transport.requests) - snapshot.total("joined_requests")
    assert snapshot.total("joined_calls", model="m") + alone == 10
    assert snapshot.total("joined_requests") >= 1
    await stack.aclose()


async def test_shed_requests(kit: type[Kit], model: Model) -> None:
    telemetry = Telemetry()
    stack = Stack(model.transport, [telemetry, Limit(fixed=1, queue=0)])
    await kit.ask(stack, [1])
    model.gate = asyncio.Event()
    first = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    with pytest.raises(LimitExceeded):
        await kit.ask(stack, [1])
    snapshot = telemetry.snapshot()
    assert snapshot.total("limit_in_flight", model="m") == 1
    assert snapshot.total("limit_shed", model="m") == 1
    model.gate.set()
    await first


async def test_readings_of_anybody(kit: type[Kit], model: Model) -> None:
    """Those of one name and labels are added, new names are exported, a thousand are enough."""
    many = [Reading("many", 1, {"x": f"{number}"}) for number in range(1500)]
    layers = [
        Tells(Reading("widgets", 2, {"colour": "red"}, "gauge")),
        Tells(Reading("widgets", 3, {"colour": "red"}, "gauge"), *many),
    ]
    telemetry = Telemetry()
    stack = Stack(Stack(model.transport, layers[1:]), [telemetry, layers[0]])
    await kit.ask(stack, [1])
    snapshot = telemetry.snapshot()
    assert snapshot.total("widgets", colour="red") == 5
    assert snapshot.total("many") == 1500
    assert snapshot.total("many", x="other") == 500
    assert scraped(telemetry)["tritonkit_widgets"][(("colour", "red"),)] == 5


async def test_the_text_that_prometheus_reads(kit: type[Kit], model: Model) -> None:
    """Every family is there; the histogram is cumulative; a scrape resets nothing."""
    telemetry = Telemetry()
    layers = [telemetry, Cache(), Coalesce(), Retry(), Limit(), Breaker()]
    async with AsyncClient(model.transport, layers) as client:
        for value in (1.0, 2.0, 1.0):
            await client.infer("m", {"x": [[value]]})
        first, second = scraped(telemetry), scraped(telemetry)
        assert first == second
        registry = CollectorRegistry()
        registry.register(telemetry.collector())
        described = {
            family.name: family.type
            for family in text_string_to_metric_families(generate_latest(registry).decode())
        }
        assert described == {f"tritonkit_{family.name}": family.kind for family in FAMILIES}
        key = (("arm", ""), ("cache", "memory"), ("model", "m"), ("tier", ""))
        assert first["tritonkit_requests_total"][key] == 1
        buckets = [
            value
            for labels, value in first["tritonkit_latency_seconds_bucket"].items()
            if ("cache", "model") in labels
        ]
        assert buckets == sorted(buckets)
        assert buckets[-1] == 2
        assert client.stats() == telemetry.snapshot()
        assert json.loads(client.stats().to_json())["requests"] == 3


async def test_metrics_over_http(kit: type[Kit], model: Model) -> None:
    telemetry = Telemetry("shop")
    stack = Stack(model.transport, [telemetry])
    await kit.ask(stack, [1])
    server = telemetry.serve_metrics(0)

    def read() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as page:
            return str(page.read().decode())

    assert 'tritonkit_in_flight{client="shop"} 0.0' in await asyncio.to_thread(read)
    with pytest.raises(ConfigError, match=f"{server.port}"):
        telemetry.serve_metrics(server.port)
    await stack.aclose()
    server.close()
    with pytest.raises(urllib.error.URLError):
        await asyncio.to_thread(read)


async def test_several_clients_of_a_process(kit: type[Kit], model: Model) -> None:
    one, other = Telemetry("one"), Telemetry("other")
    for telemetry in (one, other):
        await kit.ask(Stack(model.transport, [telemetry]), [1])
    registry = CollectorRegistry()
    registry.register(MetricsCollector([one, other]))
    text = generate_latest(registry).decode()
    assert text.count("# TYPE tritonkit_requests_total counter") == 1
    assert all(f'tritonkit_requests_total{{arm="",cache="model",client="{name}"' in text
               for name in ("one", "other"))  # fmt: skip
    with pytest.raises(ConfigError, match="different names"):
        MetricsCollector([one, Telemetry("one")])


async def test_latencies_of_several_processes(kit: type[Kit], model: Model) -> None:
    """Shipped as bytes and merged without loss."""
    telemetries = [Telemetry(), Telemetry()]
    for telemetry in telemetries:
        stack = Stack(model.transport, [telemetry])
        for _ in range(5):
            await kit.ask(stack, [1])
    shipped = [
        {labels: sketch.to_bytes() for labels, sketch in telemetry.latencies().items()}
        for telemetry in telemetries
    ]
    merged = LatencySketch()
    for each in shipped:
        for data in each.values():
            merged.merge(LatencySketch.from_bytes(data))
    assert merged.count == 10


async def test_endpoints(model: Model, kit: type[Kit]) -> None:
    """Each is up or out, and has been sent so many requests."""
    from tritonkit.client.testing.transport import FakeTransport

    transports = [
        FakeTransport(lambda request: dict(request.inputs), inputs={"x": (1,)}, outputs={"x": (1,)})
        for _ in range(2)
    ]
    telemetry = Telemetry()
    stack = Stack(Endpoints(*transports), [telemetry])
    for _ in range(4):
        await kit.ask(stack, [1])
    snapshot = telemetry.snapshot()
    assert snapshot.total("endpoint_up") == 2
    assert snapshot.total("endpoint_requests") == 4
    await stack.aclose()


def test_what_is_out_of_range(model: Model) -> None:
    for options in ({"most": 0}, {"models": "m"}):
        with pytest.raises(ConfigError):
            Telemetry(**options)
    telemetry = Telemetry(tokens=Tokens())
    Stack(model.transport, [telemetry])
    with pytest.raises(ConfigError, match="one stack"):
        Stack(model.transport, [telemetry])
    with pytest.raises(ConfigError, match="without a Telemetry"):
        AsyncClient(model.transport, [Retry()]).stats()
