from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.layers.cache.cache import Cache
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.gateway.api.embedder import Embedder
from tritonkit.gateway.api.metrics.traffic import Traffic
from tritonkit.gateway.api.settings import TextModel
from tritonkit.gateway.faults.rig import Rig
from tritonkit.gateway.live.document import Comparison, Controls, History, State, TextModels
from tritonkit.gateway.live.live import Live
from tritonkit.gateway.live.routes import LiveRoutes
from tritonkit.gateway.live.settings import LiveSettings
from tritonkit.gateway.passed import Passed
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.settings import Tenant
from tritonkit.gateway.tenants.tenants import Tenants

WATCHER = "watcher-token-0123456789"
SHOP = "shop-token-0123456789"
TENANTS = (
    Tenant("ops", token=WATCHER, rights=["live", "infer"]),
    Tenant("looker", token="looker-token-0123456789", rights=["live"]),
    Tenant("shop", token=SHOP),
)


def embedded(request: Any) -> dict[str, Any]:
    """The length of a text, and 1."""
    texts = request.inputs["text"]
    return {"embedding": np.array([[len(text[0]), 1.0] for text in texts], dtype=np.float32)}


async def until(true: Callable[[], object]) -> None:
    """Wait until something is so, for ten seconds at most."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to be")


class Said:
    """An answer, as it comes in pieces."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.came = asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        elif message.get("body"):
            self.pieces.append(message["body"])
        self.came.set()

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Page:
    """A worker's routes, asked as an ASGI server asks them."""

    def __init__(self, tenants: Sequence[Tenant] = (), *, faults: bool = True) -> None:
        config = {
            "tritonkit.batch_invariant": {"string_value": "true"},
            "tritonkit.model_digest": {"string_value": "one"},
        }
        self.server = FakeTransport(
            embedded,
            inputs={"text": (1,)},
            outputs={"embedding": (2,)},
            datatypes={"text": "BYTES"},
            config={"parameters": config},
        )
        rig = Rig() if faults else None
        layers = [Cache()]
        server, steered = rig.around(self.server, layers) if rig else (self.server, layers)
        telemetry = Telemetry()
        self.client = AsyncClient(server, [telemetry, *steered])
        self.passed: list[Passed] = []
        serving = Serving(client=self.client, telemetry=telemetry, observers=[self.passed.append])
        self.live = Live(serving, LiveSettings(history="none", listeners=100), rig=rig)
        self.tenants = Tenants(tenants)
        models = [TextModel("words", model="embedder")]
        self.routes = LiveRoutes(self.live, self.tenants, Traffic(), Embedder(models), ("words",))
        self.app = Starlette(routes=self.routes.routes)

    def request(
        self,
        method: str,
        path: str,
        said: Said,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        send: Callable[[Any], Awaitable[None]] | None = None,
        leave: asyncio.Event | None = None,
        client: str = "192.0.2.7",
    ) -> Awaitable[None]:
        route, _, query = path.partition("?")
        given = {"host": "gw.example:8080", "content-type": "application/json", **(headers or {})}
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1", "method": method, "scheme": "http", "path": route,
            "raw_path": route.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in given.items()],
            "server": ("gw.example", 8080), "client": (client, 1),
        }  # fmt: skip
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await (leave or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        found: Awaitable[None] = self.app(scope, receive, send or said.send)
        return found

    async def ask(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        token: str = "",
        headers: dict[str, str] | None = None,
    ) -> Said:
        said = Said()
        given = {**(headers or {}), **({"authorization": f"Bearer {token}"} if token else {})}
        body = b"" if document is None else json.dumps(document).encode()
        await self.request(method, path, said, body=body, headers=given)
        return said

    async def aclose(self) -> None:
        await self.live.aclose()
        await self.client.aclose()
        self.tenants.close()


@pytest.fixture
async def page() -> AsyncIterator[Callable[..., Page]]:
    made: list[Page] = []

    def page(*arguments: Any, **options: Any) -> Page:
        made.append(Page(*arguments, **options))
        return made[-1]

    yield page
    for each in made:
        await each.aclose()


async def test_documents_have_their_shapes(page, fits):
    """State, history and what the tester can ask."""
    shown = page()
    for path, kind in (
        ("/live/state", State),
        ("/live/history?minutes=5&points=10", History),
        ("/live/history", History),
        ("/live/models", TextModels),
    ):
        said = await shown.ask("GET", path)
        assert said.status == 200, said.body
        assert said.headers["content-type"] == "application/json"
        assert said.headers["cache-control"] == "no-store"
        assert fits(said.json, kind), path


@pytest.mark.parametrize(
    "query", ["minutes=0", "minutes=-1", "minutes=nan", "minutes=x", "points=0", "points=1e9"]
)
async def test_a_past_that_makes_no_sense(page, query):
    """400, with what would be right."""
    said = await page().ask("GET", f"/live/history?{query}")

    assert said.status == 400
    assert "must be more than 0 and" in said.json["error"]


async def test_texts_are_compared(page, fits):
    """Each with what it took; the second time out of memory, unless it goes without."""
    shown = page()
    asked = {"model": "words", "a": "aaaa", "b": "bbbbbbbb"}

    first = (await shown.ask("POST", "/live/compare", asked)).json
    again = (await shown.ask("POST", "/live/compare", asked)).json
    without = (await shown.ask("POST", "/live/compare", {**asked, "bypass": ["cache"]})).json

    assert fits(first, Comparison)
    a, b = np.array([4.0, 1.0]), np.array([8.0, 1.0])
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert first["similarity"] == pytest.approx(cosine, abs=1e-6)
    assert [found["a"]["cache"] for found in (first, again, without)] == [
        "model", "memory", "model"
    ]  # fmt: skip
    assert len(shown.server.requests) == 4
    assert [each.route for each in shown.passed] == ["tester"] * 6


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": "none"}, "no text model 'none'"),
        ({"bypass": ["tiers"]}, "must be one of ['cache'], but got 'tiers'"),
        ({"bypass": "cache"}, "must be a list of layers"),
        ({"priority": "shadow"}, "must be one of 'live', 'batch'"),
        ({"a": 1}, "'a' must be a text"),
        ({"c": ""}, "has no field 'c'"),
    ],
)
async def test_what_cannot_be_compared(page, change, says):
    """With what would be right."""
    asked = {"model": "words", "a": "a", "b": "b", **change}

    said = await page().ask("POST", "/live/compare", asked)

    assert said.status in (400, 404)
    assert says in said.json["error"]


async def test_controls(page, fits):
    """Layers and faults, on and off; the answer is what there is then."""
    shown = page()

    off = await shown.ask("POST", "/live/switch", {"layer": "cache", "on": False})
    slow = await shown.ask("POST", "/live/fault", {"name": "slow", "on": True, "value": 0.25})

    assert fits(off.json, Controls)
    assert off.json["layers"] == [{"name": "cache", "label": "cache", "on": False}]
    (fault,) = [each for each in slow.json["faults"] if each["name"] == "slow"]
    assert (fault["on"], fault["value"]) == (True, 0.25)
    assert 290 < fault["until"] - shown.live.wall() <= 300
    state = (await shown.ask("GET", "/live/state")).json
    assert state["controls"] == slow.json
    assert [each["text"] for each in state["alerts"]] == [
        "Every model answers later, 250 ms", "cache is switched off"
    ]  # fmt: skip
    assert (await shown.ask("POST", "/live/fault", {"name": "slow", "on": False})).status == 200


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/live/switch", {"layer": "none", "on": True}),
        ("/live/switch", {"layer": "cache"}),
        ("/live/switch", {"layer": "cache", "on": "no"}),
        ("/live/switch", ["cache"]),
        ("/live/fault", {"name": ["slow"], "on": True}),
        ("/live/fault", {"name": "slow", "on": True, "value": -1}),
        ("/live/fault", {"name": "redis", "on": True, "value": 1}),
    ],
)
async def test_controls_that_make_no_sense(page, path, document):
    """400, and nothing is changed."""
    shown = page()
    before = shown.live.controls()

    assert (await shown.ask("POST", path, document)).status == 400
    assert shown.live.controls() == before


async def test_without_faults_nothing_can_be_changed(page):
    """The page shows no controls, the tester no layers."""
    shown = page(faults=False)

    assert (await shown.ask("GET", "/live/state")).json["controls"]["allowed"] is False
    assert (await shown.ask("GET", "/live/models")).json == {"models": ["words"], "layers": []}
    for path in ("/live/switch", "/live/fault"):
        said = await shown.ask("POST", path, {"layer": "cache", "name": "slow", "on": True})
        assert said.status == 403
        assert "started without --faults" in said.json["error"]
    asked = {"model": "words", "a": "a", "b": "b"}
    assert (await shown.ask("POST", "/live/compare", asked)).status == 200


@pytest.mark.parametrize("path", ["/live/switch", "/live/fault", "/live/compare"])
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin", "origin": "http://gw.example:8080"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"origin": "https://gw.example:8080"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "http://gw.example:8080"}, False),
        ({"sec-fetch-site": "same-site", "origin": "http://gw.example:8080"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://gw.example:8081"}, False),
        ({"origin": "null"}, False),
    ],
)
async def test_pages_of_other_sites_change_nothing(page, path, headers, allowed):
    """As browsers say where a request comes from."""
    said = await page().ask("POST", path, {}, headers=headers)

    assert (said.status != 403) is allowed
    if not allowed:
        assert "a page of another site" in said.json["error"]


@pytest.mark.parametrize(
    ("host", "headers", "tenants", "allowed"),
    [
        ("localhost:8080", {}, (), True),
        ("127.0.0.1:8080", {}, (), True),
        ("[::1]:8080", {}, (), True),
        ("evil.example:8080", {}, (), False),
        ("evil.example:8080", {"sec-fetch-site": "same-origin"}, (), False),
        ("localhost.evil.example", {}, (), False),
        ("[", {"sec-fetch-site": "same-origin"}, (), False),
        # Who is no browser may call it as they like, and whoever has a token is known.
        ("evil.example:8080", {"origin": ""}, (), True),
        ("evil.example:8080", {}, TENANTS, True),
    ],
)
async def test_a_name_that_leads_here_changes_nothing(page, host, headers, tenants, allowed):
    """A page of another site whose name was made to be this machine's is of one origin with it."""
    given = {
        "host": host,
        "origin": f"http://{host}",
        "authorization": f"Bearer {WATCHER}",
        **headers,
    }
    given = {name: value for name, value in given.items() if value}
    said = Said()

    await page(tenants=tenants).request(
        "POST", "/live/switch", said, body=b"{}", headers=given, client="127.0.0.1"
    )

    assert (said.status != 403) is allowed
    assert said.status in (400, 403)


async def test_a_form_of_another_site_changes_nothing(page):
    """What a browser sends without asking is no JSON."""
    said = Said()

    await page().request(
        "POST",
        "/live/switch",
        said,
        body=b'{"layer": "cache", "on": false}',
        headers={"content-type": "text/plain"},
    )

    assert said.status == 415


async def test_rights(page):
    """The page is everybody's, what it shows is not; the tester needs two."""
    shown = page(TENANTS)
    asked = {"model": "words", "a": "a", "b": "b"}
    for path in ("/live/state", "/live/history", "/live/models", "/live/events"):
        nobody = await shown.ask("GET", path)
        assert (nobody.status, nobody.headers["www-authenticate"]) == (
            401, 'Bearer realm="tritonkit"'
        )  # fmt: skip
        assert (await shown.ask("GET", path, token=SHOP)).status == 403
    looker = "looker-token-0123456789"
    assert (await shown.ask("GET", "/live/state", token=looker)).status == 200
    assert (await shown.ask("GET", "/live/models", token=looker)).json["models"] == []
    assert (await shown.ask("POST", "/live/compare", asked, token=looker)).status == 403
    assert (await shown.ask("POST", "/live/compare", asked, token=WATCHER)).status == 200
    assert (await shown.ask("POST", "/live/switch", asked)).status == 401
    changed = {"layer": "cache", "on": False}
    await shown.ask("POST", "/live/switch", changed, token=WATCHER)
    alert = (await shown.ask("GET", "/live/state", token=looker)).json["alerts"][0]
    assert alert["text"] == "cache is switched off, by ops"
    # Whose answer it was is kept apart from others'.
    assert {request.scope for request in shown.server.requests} == {"ops"}


async def test_the_page_and_its_files(page):
    """By a tag, so that they travel once; with a policy that lets nothing else in."""
    shown = page()
    shown.routes._page.setdefault("index.html", (b"<!doctype html>", '"tag"'))

    for path in ("/", "/live", "/live/", "/live/static/index.html"):
        said = await shown.ask("GET", path)
        assert said.status == 200
        assert said.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'self'" in said.headers["content-security-policy"]
        again = await shown.ask("GET", path, headers={"if-none-match": said.headers["etag"]})
        assert (again.status, again.body) == (304, b"")
    assert (await shown.ask("GET", "/live/static/none.js")).status == 404
    assert (await shown.ask("GET", "/live/static/..%2Flive.py")).status == 404


async def test_a_hundred_listen(page):
    """Each second is encoded once for all of them; one more is refused, until one leaves."""
    shown = page()
    leaving, said = asyncio.Event(), [Said() for _ in range(100)]
    first_leaves = asyncio.Event()
    tasks = [
        asyncio.ensure_future(
            shown.request("GET", "/live/events", each, leave=leaving if n else first_leaves)
        )
        for n, each in enumerate(said)
    ]
    await asyncio.gather(*(each.came.wait() for each in said))

    refused = await shown.ask("GET", "/live/events")
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")

    encoded = []
    shown.live.broadcast.publish(lambda: encoded.append(1) or b"{}")
    await until(lambda: all(each.body.endswith(b"event: state\ndata: {}\n\n") for each in said))
    assert len(encoded) == 1
    assert said[0].headers["content-type"].startswith("text/event-stream")
    assert said[0].body.startswith(b"retry: 2000\n\nevent: state\ndata: {")

    first_leaves.set()
    await tasks[0]
    assert shown.live.broadcast.listeners == 99
    shown.live.drain()
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks)
    assert shown.live.broadcast.listeners == 0
    assert (await shown.ask("GET", "/live/events")).status == 503


async def test_who_is_slow_skips_what_is_old(page):
    """A listener that takes nothing holds up nobody, and goes on with the latest."""
    shown = page()
    taken, free = [], asyncio.Event()

    async def send(message: Any) -> None:
        if message.get("body"):
            taken.append(message["body"])
            await free.wait()

    task = asyncio.ensure_future(shown.request("GET", "/live/events", Said(), send=send))
    await until(lambda: taken)
    for number in range(50):
        shown.live.broadcast.publish(lambda number=number: b"%d" % number)
        await asyncio.sleep(0)
    free.set()
    await until(lambda: len(taken) >= 2)
    shown.live.drain()
    await task

    assert taken[1:] == [b"event: state\ndata: 49\n\n"]


def test_who_never_listened_has_left(page):
    """A stream that is thrown away before it begins makes room."""
    broadcast = page().live.broadcast

    stream = broadcast.listen(b"{}")
    assert broadcast.listeners == 1
    del stream
    assert broadcast.listeners == 0
