"""The layer: what it sees, what it never does to an answer, whom it tells."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import threading
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import numpy as np
import pytest

from tritonkit.client import (
    Alert,
    Argmax,
    Cache,
    Drift,
    InferRequest,
    Profile,
    Route,
    Shadow,
    Stack,
)
from tritonkit.client.layers.drift.sampling import Sampling
from tritonkit.client.layers.drift.webhook import Webhook
from tritonkit.client.layers.drift.worker import Worker
from tritonkit.client.policy.explain import explain
from tritonkit.client.policy.policy import Policy
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import ConfigError, InferenceFailed, PolicyError

SHIFT = 3.0


def classes(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    one = 1 / (1 + np.exp(-3 * x))
    return np.concatenate([one, 1 - one], axis=1).astype(np.float32)


def answer(request: InferRequest) -> Mapping[str, Any]:
    x = request.inputs["x"]
    return {"p": classes(x if request.model == "m" else -x)}


def transport() -> FakeTransport:
    parameters = {
        "tritonkit.batch_invariant": {"string_value": "true"},
        "tritonkit.model_digest": {"string_value": "m"},
    }
    return FakeTransport(
        answer, inputs={"x": (1,)}, outputs={"p": (2,)}, config={"parameters": parameters}
    )


@pytest.fixture(scope="module")
def small() -> Profile:
    x = np.random.default_rng(1).standard_normal((800, 1)).astype(np.float32)
    return Profile.of("m", {"x": x}, {"p": classes(x)}, better=classes(x), window=50)


def request(rows: int, seed: int, shift: float = 0.0, **options: Any) -> InferRequest:
    x = np.random.default_rng(seed).standard_normal((rows, 1)) + shift
    return InferRequest(model="m", inputs={"x": x.astype(np.float32)}, **options)


async def test_drift_is_told(small: Profile, caplog: pytest.LogCaptureFixture) -> None:
    alerts: list[Alert] = []
    layer = Drift(small, share=1, most=1e6, alert=alerts.append)
    stack = Stack(transport(), [layer])
    for seed in range(20):
        await stack(request(50, seed))
    assert layer.flush()
    assert alerts == []
    for seed in range(20):
        await stack(request(50, seed, SHIFT))
    assert layer.flush()
    assert {"input x", "output p: class"} <= {alert.feature for alert in alerts}
    assert "input x of 'm' has drifted" in caplog.text
    counts = layer.status()["counts"]
    assert counts["sampled"] == 2000
    assert counts["ticket"] == sum(alert.severity == "ticket" for alert in alerts)
    assert (counts["dropped"], counts["failures"]) == (0, 0)
    await stack.aclose()


async def test_hits_are_traffic(small: Profile) -> None:
    """Above a Cache, by a call and at once: rows that were kept are no rows that were computed."""
    layer = Drift(small, share=1, most=1e6)
    stack = Stack(transport(), [layer, Cache()])
    asked = request(30, 1)
    await stack(asked)
    await stack(asked)
    assert await asyncio.to_thread(stack.now, asked) is not None
    assert layer.flush()
    features = layer.status()["models"]["m"]["features"]
    assert features["traffic"]["input x"]["rows"] == 90
    assert features["computed"]["input x"]["rows"] == 30
    await stack.aclose()


async def test_other_requests_are_not_watched(small: Profile) -> None:
    layer = Drift(small, share=1, most=1e6)
    stack = Stack(transport(), [layer])
    other = InferRequest(model="other", inputs=request(5, 1).inputs)
    for ignored in (other, request(5, 1, priority="shadow"), request(5, 1, priority="refresh")):
        await stack(ignored)
    assert layer.status()["counts"]["sampled"] == 0
    await stack.aclose()


@pytest.mark.parametrize("inputs", [{"x": np.float32(1)}, {"x": np.ones((2, 1)), "y": np.ones(3)}])
async def test_odd_requests_are_answered(small: Profile, inputs: Mapping[str, Any]) -> None:
    stack = Stack(transport(), [layer := Drift(small, share=1)])
    fake = transport()
    fake.handler = lambda request: {"p": np.zeros(7)}
    stack = Stack(fake, [layer])
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    assert (await stack(InferRequest(model="m", inputs=arrays)))["p"].shape == (7,)
    assert layer.flush()
    await stack.aclose()


async def test_what_a_callback_raises_is_not_the_callers(
    small: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(alert: Alert) -> None:
        raise ValueError("no")

    layer = Drift(small, share=1, most=1e6, alert=fail)
    stack = Stack(transport(), [layer])
    for seed in range(20):
        await stack(request(50, seed, SHIFT))
    assert layer.flush()
    counts = layer.status()["counts"]
    # Each is told of, though all that came before it failed, some in the same window.
    alerts = [record for record in caplog.records if "has drifted" in record.getMessage()]
    assert counts["failures"] == len(alerts) == counts["ticket"] + counts["page"]
    drifted = [
        it["drifted"] for it in layer.status()["models"]["m"]["features"]["traffic"].values()
    ]
    assert len(alerts) == sum(drifted) > 1
    await stack.aclose()


async def test_a_model_that_does_not_batch() -> None:
    """A whole request is a row."""
    x = np.random.default_rng(1).standard_normal((200, 3)).astype(np.float32)
    profile = Profile.of("m", {"x": x}, {"p": x}, by_row=False)
    fake = transport()
    fake.handler = lambda request: {"p": request.inputs["x"]}
    layer = Drift(profile, share=1)
    stack = Stack(fake, [layer])
    for row in x[:20]:
        await stack(InferRequest(model="m", inputs={"x": row}))
    assert layer.flush()
    assert layer.status()["models"]["m"]["features"]["traffic"]["output p[2]"]["rows"] == 20
    assert layer.status()["models"]["m"]["unreadable"] == 0
    await stack.aclose()


async def test_failures_reach_the_caller(small: Profile) -> None:
    def fail(request: InferRequest) -> Any:
        raise InferenceFailed("no", model="m")

    fake = transport()
    fake.handler = fail
    layer = Drift(small, share=1)
    with pytest.raises(InferenceFailed):
        await Stack(fake, [layer])(request(1, 1))
    assert layer.status()["counts"]["sampled"] == 0


async def test_a_heavy_route_disagrees(small: Profile) -> None:
    """It is asked beside the path, for the sampled rows only, as a shadow."""
    alerts: list[Alert] = []
    fake = transport()
    layer = Drift(
        small, share=1, most=1e6, heavy=Route("heavy", model="better"), alert=alerts.append
    )
    stack = Stack(fake, [layer])
    for seed in range(10):
        got = await stack(request(50, seed))
        assert got.model == "m"
        await asyncio.sleep(0.01)
    assert layer.flush()
    heavy = [it for it in fake.requests if it.model == "better"]
    assert heavy
    assert {it.priority for it in heavy} == {"shadow"}
    assert [alert.feature for alert in alerts if alert.severity == "page"] == [
        "agreement with the better model"
    ]
    assert layer.status()["models"]["m"]["accuracy"]["agreement"]["recent"] < 0.1
    await stack.aclose()


@pytest.mark.parametrize("above", [True, False])
async def test_a_shadow_of_the_same_stack_is_listened_to(small: Profile, above: bool) -> None:
    """What it compares is agreement; nothing is asked twice."""
    alerts: list[Alert] = []
    fake = transport()
    route = Route("heavy", model="better")
    shadow = Shadow(route, share=1, until_decided=False, compare=Argmax())
    layer = Drift(small, share=0, shadow="heavy", alert=alerts.append)
    stack = Stack(fake, [shadow, layer] if above else [layer, shadow])
    for seed in range(20):
        await stack(request(50, seed))
        await asyncio.sleep(0.005)
    assert layer.flush()
    assert [(alert.severity, alert.feature) for alert in alerts] == [
        ("page", "agreement with the better model")
    ]
    assert len([it for it in fake.requests if it.model == "better"]) <= 20
    layer.compared("unknown", {}, {})
    layer.compared("m", {"p": np.zeros((2, 0))}, {"p": np.zeros((2, 0))})
    assert layer.status()["counts"]["heavy_failed"] == 1
    await stack.aclose()


def test_a_shadow_that_is_none(small: Profile) -> None:
    layer = Drift(small, shadow="heavy")
    with pytest.raises(ConfigError, match="no Shadow of a route 'heavy'"):
        Stack(transport(), [layer])
    with pytest.raises(ConfigError, match="until_decided=False"):
        Stack(transport(), [layer, Shadow(Route("heavy"))])
    with pytest.raises(ConfigError, match="not with both"):
        Drift(small, shadow="heavy", heavy=Route("heavy"))


async def test_another_thread_takes_what_the_heavy_route_is_asked(small: Profile) -> None:
    class Stolen(deque[Any]):
        """Each item is gone, to another event loop, between a look and a grasp."""

        def __bool__(self) -> bool:
            return True

        def popleft(self) -> Any:
            raise IndexError

    layer = Drift(small, share=1, most=1e6, heavy=Route("heavy", model="big"))
    assert layer._better is not None
    layer._better._waiting = Stolen()
    stack = Stack(transport(), [layer])
    assert (await stack(request(3, 1)))["p"].shape == (3, 2)
    await stack.aclose()


async def test_a_heavy_route_that_fails_is_nobodys_error(small: Profile) -> None:
    def some(request: InferRequest) -> Any:
        if request.model != "m":
            raise InferenceFailed("no", model=request.model)
        return answer(request)

    fake = transport()
    fake.handler = some
    layer = Drift(small, share=1, heavy=Route("heavy", model="better"))
    stack = Stack(fake, [layer])
    await stack(request(5, 1))
    await asyncio.sleep(0.02)
    assert layer.status()["counts"]["heavy_failed"] == 1
    await stack.aclose()


async def test_labels_come_later(small: Profile) -> None:
    alerts: list[Alert] = []
    layer = Drift(small, share=1, most=1e6, alert=alerts.append)
    stack = Stack(transport(), [layer])
    chance = random.Random(3)
    for number in range(90):
        got = await stack(request(20, number, id=f"r{number}"))
        assert layer.samples(f"r{number}")
        right = got["p"].argmax(axis=1)
        rate = 0.95 if number < 50 else 0.3
        for row in range(20):
            label = int(right[row]) if chance.random() < rate else 1 - int(right[row])
            layer.label(f"r{number}", label, row=row)
        await asyncio.sleep(0)
        if number % 20 == 19:
            # A queue of 1,000 holds 40 of these.
            assert layer.flush()
    layer.label("never seen", 1)
    assert layer.flush()
    counts = layer.status()["counts"]
    assert (counts["labels"], counts["labels_unknown"]) == (1800, 1)
    assert [alert.feature for alert in alerts if alert.severity == "page"] == ["accuracy by labels"]
    await stack.aclose()


async def test_what_a_shadow_compared(small: Profile) -> None:
    layer = Drift(small)
    given = classes(np.ones((300, 1)))
    layer.compare({"p": given}, {"p": given})
    layer.compare({"p": given}, {"other": given})
    assert layer.flush()
    agreement = layer.status()["models"]["m"]["accuracy"]["agreement"]
    assert (agreement["rows"], agreement["recent"]) == (300, 1.0)
    with pytest.raises(ConfigError, match="'n'"):
        layer.label("r", 1, model="n")
    await layer.aclose()


def test_a_share_of_rows() -> None:
    """Of 200,000 rows 1 % is 2,000 with a deviation of 44; 4 of them."""
    sampling = Sampling(0.01, 100, clock=lambda: 0.0, chance=random.Random(1))
    chosen = [place for _ in range(2000) for place in sampling.choose(100, "")]
    assert abs(len(chosen) - 2000) < 4 * 44.5
    assert set(chosen) == set(range(100))
    by_id = sum(len(sampling.choose(1, f"r{number}")) for number in range(100_000))
    assert abs(by_id - 1000) < 4 * 31.5
    assert all(sampling.wanted(f"r{n}") == bool(sampling.choose(3, f"r{n}")) for n in range(999))


def test_shares_of_nothing_and_of_everything() -> None:
    none = Sampling(0.0, 100, clock=lambda: 0.0, chance=random.Random(1))
    every = Sampling(1.0, 100, clock=lambda: 0.0, chance=random.Random(1))
    assert [*none.choose(50, ""), *none.choose(50, "id")] == []
    assert [len(every.choose(50, "")), len(every.choose(50, "id"))] == [50, 50]


def test_no_more_than_so_many_a_second() -> None:
    now = [0.0]
    sampling = Sampling(1.0, 10, clock=lambda: now[0], chance=random.Random(1))
    assert [sampling.allow(8), sampling.allow(8)] == [8, 2]
    now[0] = 0.5
    assert sampling.allow(8) == 5
    assert Sampling(1.0, 0, clock=lambda: 0.0, chance=random.Random(1)).allow(1) == 0
    seldom = Sampling(1.0, 0.1, clock=lambda: now[0], chance=random.Random(1))
    seen = 0
    for now[0] in np.arange(0.5, 60.5):
        seen += seldom.allow(3)
    # As rounding has it, the sixth comes in this minute or in the next.
    assert seen in (5, 6)
    always = Sampling(1.0, math.inf, clock=lambda: now[0], chance=random.Random(1))
    assert [always.allow(8), always.allow(8)] == [8, 8]


def test_a_full_queue_drops() -> None:
    gate, done = threading.Event(), []

    def work(item: int) -> None:
        gate.wait(5)
        done.append(item)

    worker = Worker(work, 3, name="test")
    kept = [worker.put(number) for number in range(10)]
    assert 3 <= sum(kept) <= 4
    assert worker.dropped == 10 - sum(kept)
    gate.set()
    assert worker.flush(5)
    assert len(done) == sum(kept)
    worker.close()
    assert not worker.put(1)


async def test_no_thread_to_be_had(small: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller has his answer, and the next rows may have one."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    layer = Drift(small, share=1, most=1e6)
    stack = Stack(transport(), [layer])
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert (await stack(request(3, 1)))["p"].shape == (3, 2)
    assert layer.flush()
    assert layer.status()["counts"]["dropped"] == 1
    await stack(request(3, 1))
    assert layer.flush()
    assert layer.status()["models"]["m"]["features"]["traffic"]["input x"]["rows"] == 3
    await stack.aclose()


async def test_large_texts_are_not_held(small: Profile) -> None:
    layer = Drift(small, share=1, most=1e6)
    fake = transport()
    fake.handler = lambda request: {"p": np.zeros((2, 2), np.float32)}
    stack = Stack(fake, [layer])
    texts = np.array([[b"x" * 2**20], [b"y"]], dtype=np.object_)
    await stack(InferRequest(model="m", inputs={"x": texts}))
    assert layer.status()["counts"]["dropped"] == 1
    await stack.aclose()


async def test_no_queue_at_all(small: Profile) -> None:
    layer = Drift(small, share=1, queue=0)
    await Stack(transport(), [layer])(request(2, 1))
    assert layer.status()["counts"]["dropped"] == 1


def test_a_fork_has_a_thread_of_its_own(small: Profile) -> None:
    layer = Drift(small, share=1)
    asyncio.run(_ask(layer))
    assert layer.flush()
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads; that is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        code = 1
        try:
            asyncio.run(_ask(layer))
            done = layer.flush()
            rows = layer.status()["models"]["m"]["features"]["traffic"]["input x"]["rows"]
            code = 0 if done and rows == 4 else 1
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


async def _ask(layer: Drift) -> None:
    await Stack(transport(), [layer])(request(2, 1))


class Receiver:
    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append(json.loads(body))
                self.send_response(outer.status)
                self.send_header("Location", outer.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alerts"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


async def test_alerts_are_posted(small: Profile, receiver: Receiver) -> None:
    layer = Drift(small, share=1, most=1e6, webhook=receiver.url)
    stack = Stack(transport(), [layer])
    for seed in range(20):
        await stack(request(50, seed, SHIFT))
    assert await asyncio.to_thread(layer.flush)
    posted = {it["feature"] for it in receiver.received}
    assert "input x" in posted
    assert "has drifted" in receiver.received[0]["text"]
    assert layer.status()["counts"]["webhook_failed"] == 0
    await stack.aclose()


def test_a_webhook_that_fails_is_counted(receiver: Receiver) -> None:
    alert = Alert(
        severity="page", model="m", feature="f", measure="fall", effect=0.1, allowed=0.01,
        evidence=1e7, needed=1e7, rows=1, since=0, since_time=0.0, time=0.0, change="c",
        look_at="l",
    )  # fmt: skip
    receiver.status = 500
    webhook = Webhook(receiver.url)
    webhook(alert)
    assert webhook.worker.flush(5)
    assert webhook.failures == 1
    receiver.status = 302
    webhook(alert)
    assert webhook.worker.flush(5)
    assert webhook.failures == 2
    gone = Webhook("http://127.0.0.1:9/", timeout="1s")
    gone(alert)
    assert gone.worker.flush(5)
    assert gone.failures == 1
    for url in (
        "ftp://host/", "http://", "nothing", "http://[::1", "http://h:x/", "http://h/a b"
    ):  # fmt: skip
        with pytest.raises(ConfigError, match="http or https URL"):
            Webhook(url)
    with pytest.raises(ConfigError, match="no user and no password") as refused:
        Webhook("https://user:secret@host/alerts")
    assert "secret" not in str(refused.value)
    webhook.worker.close()
    gone.worker.close()


def test_options(small: Profile, tmp_path: Any) -> None:
    for options, message in (
        ({"share": 1.5}, "share must be"),
        ({"most": -1}, "most must not"),
        ({"queue": -1}, "queue must not"),
        ({"drop": 2.0}, "drop must be"),
        ({"computed": [small, small][:1], "thresholds": {"no": 1}}, "thresholds must be"),
    ):
        with pytest.raises(ConfigError, match=message):
            Drift(small, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="profiles must be one"):
        Drift()
    with pytest.raises(ConfigError, match="different models"):
        Drift(small, small)
    with pytest.raises(ConfigError, match="there is no drift profile"):
        Drift(tmp_path / "none")


def test_a_policy_names_it(small: Profile, tmp_path: Any) -> None:
    small.save(tmp_path / "m.drift")
    text = (
        'server = "http://localhost:8000"\n[[layers]]\ntype = "drift"\n'
        f'profiles = ["{tmp_path}/m.drift"]\nshare = "5%"\nwebhook = "http://host/secret"\n'
        'heavy = { name = "heavy", model = "better" }\n'
    )
    policy = Policy(text, environment={})
    _, (built,) = policy.build()
    assert repr(built) == "Drift(m, share=0.05)"
    told = explain(policy)
    assert "1. drift: 5% of the rows are compared with profiles beside the path" in told
    assert "alerts are posted to a webhook" in told
    assert "host/secret" not in told
    assert list(policy.warnings) == []
    below = text.replace("[[layers]]", '[[layers]]\ntype = "cache"\n[[layers]]', 1)
    (warning,) = Policy(below, environment={}).warnings
    assert "rows that are kept go past it" in warning.message
    with pytest.raises(PolicyError, match="there is no drift profile"):
        Policy(text.replace("m.drift", "n.drift"), environment={})
