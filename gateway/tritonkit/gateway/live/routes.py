"""The live page's routes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tritonkit.errors import ConfigError
from tritonkit.extras import require
from tritonkit.gateway.api.call import Call
from tritonkit.gateway.api.embedder import Embedder
from tritonkit.gateway.api.entrance import Entrance, Reply
from tritonkit.gateway.api.fields import Fields, wrong
from tritonkit.gateway.api.metrics.traffic import Traffic
from tritonkit.gateway.faults.rig import Rig
from tritonkit.gateway.live.broadcast import Full
from tritonkit.gateway.live.document import to_json
from tritonkit.gateway.live.live import Live
from tritonkit.gateway.live.same_origin import SameOrigin
from tritonkit.gateway.live.tester import Tester
from tritonkit.gateway.tenants.refused import Refused
from tritonkit.gateway.tenants.tenants import Tenants

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

__all__ = ["LiveRoutes"]

MAX_BODY = 256_000
"""Bytes of a request: two texts, at most."""

MAX_MINUTES = 7 * 24 * 60
MAX_POINTS = 2_000

_JSON = {"content-type": "application/json"}
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


class LiveRoutes:
    """
    The page, its documents and its stream.

    The page itself is everybody's; what it shows needs the right "live".

    Args:
        live: Of the worker.
        tenants: Who may.
        traffic: Of the worker.
        embedder: Of the text models.
        models: Their names, for the tester.
    """

    def __init__(
        self,
        live: Live,
        tenants: Tenants,
        traffic: Traffic,
        embedder: Embedder,
        models: tuple[str, ...],
    ) -> None:
        self._live, self._tenants = live, tenants
        self._tester = Tester(live.serving, tenants, embedder, models, live.rig)
        self._page = _page()
        entrance = Entrance(live.serving, tenants, traffic, MAX_BODY)
        route = require("starlette.routing", extra="gateway").Route
        changes = [
            entrance.route("/live/switch", ["POST"], "live", "live", self._switch),
            entrance.route("/live/fault", ["POST"], "live", "live", self._fault),
            entrance.route("/live/compare", ["POST"], "live", "live", self._compare),
        ]
        anybody = not tenants.configured or any(each.anonymous for each in tenants.configured)
        for each in changes:
            each.app = SameOrigin(each.app, anybody=anybody)
        self.routes: list[Route] = [
            route("/", self._index, methods=["GET"]),
            route("/live", self._index, methods=["GET"]),
            route("/live/", self._index, methods=["GET"]),
            route("/live/static/{name}", self._static, methods=["GET"]),
            route("/live/events", self._events, methods=["GET"]),
            entrance.route("/live/state", ["GET"], "live", "live", self._state),
            entrance.route("/live/history", ["GET"], "live", "live", self._history),
            entrance.route("/live/models", ["GET"], "live", "live", self._models),
            *changes,
        ]
        """For Starlette."""

    async def _state(self, call: Call) -> Reply:
        return Reply(self._live.encoded(), headers=_JSON)

    async def _history(self, call: Call) -> Reply:
        minutes = _number(call.query, "minutes", 60.0, MAX_MINUTES)
        points = _number(call.query, "points", 240.0, MAX_POINTS)
        found = await self._live.history(minutes, max(1, int(points)))
        return Reply(to_json(found), headers=_JSON)

    async def _models(self, call: Call) -> Reply:
        return Reply(self._tester.models(call))

    async def _compare(self, call: Call) -> Reply:
        return Reply(await self._tester.compare(call))

    async def _switch(self, call: Call) -> Reply:
        rig = self._rig(call)
        fields = Fields(call.document, ("layer", "on"))
        try:
            setting = rig.switched(fields.any("layer"), fields.any("on"))
        except ConfigError as error:
            raise wrong(str(error)) from error
        said = f"{setting.name} is switched {'on' if setting.on else 'off'}"
        return Reply(await self._live.change(setting, _by(said, call)))

    async def _fault(self, call: Call) -> Reply:
        rig = self._rig(call)
        fields = Fields(call.document, ("name", "on", "value"))
        value = fields.any("value") if "value" in fields else None
        name, on = fields.any("name"), fields.any("on")
        try:
            setting = rig.broken(name, on, value, self._live.wall())
        except ConfigError as error:
            raise wrong(str(error)) from error
        fault = rig.faults.get(setting.name)
        assert fault is not None
        said = fault.said(setting.value) if setting.on else f"{fault.label}: over"
        return Reply(await self._live.change(setting, _by(said, call)))

    def _rig(self, call: Call) -> Rig:
        if self._live.rig is None:
            raise Refused(
                "faults are not allowed here: the gateway was started without --faults",
                status=403,
                reason="faults",
                tenant=call.tenant.name,
            )
        return self._live.rig

    async def _events(self, request: Request) -> Response:
        responses = require("starlette.responses", extra="gateway")
        answer: Response
        try:
            self._tenants.admit(dict(request.scope["headers"]), "live")
            stream = self._live.broadcast.listen(self._live.encoded())
        except Refused as refused:
            headers = {key.decode(): value.decode() for key, value in refused.headers()}
            answer = _refusal(str(refused), refused.status, headers)
        except Full:
            answer = _refusal(
                "as many pages are open as may be, or the gateway ends", 503, {"retry-after": "5"}
            )
        else:
            headers = {
                "cache-control": "no-store",
                "x-content-type-options": "nosniff",
                # Proxies must not hold back what is to be seen now.
                "x-accel-buffering": "no",
            }
            answer = responses.StreamingResponse(
                stream, media_type="text/event-stream", headers=headers
            )
        return answer

    async def _index(self, request: Request) -> Response:
        return self._file(request, "index.html")

    async def _static(self, request: Request) -> Response:
        return self._file(request, request.path_params["name"])

    def _file(self, request: Request, name: str) -> Response:
        found = self._page.get(name)
        if found is None:
            return _refusal(f"the page has no file {name[:100]!r}", 404, {})
        body, tag = found
        headers = {
            "etag": tag,
            # Asked for again each time, and sent only where it is another one.
            "cache-control": "no-cache",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "content-security-policy": _POLICY,
        }
        response = require("starlette.responses", extra="gateway").Response
        answer: Response
        if tag in request.headers.get("if-none-match", ""):
            answer = response(b"", 304, headers)
        else:
            kind = _KINDS[name[name.rindex(".") :]]
            answer = response(body, 200, {**headers, "content-type": kind})
        return answer


def _page() -> dict[str, tuple[bytes, str]]:
    """The page's files and their tags, read once."""
    found = {}
    folder = files("tritonkit.gateway.live") / "page"
    for each in folder.iterdir() if folder.is_dir() else ():
        if each.is_file() and each.name[each.name.rfind(".") :] in _KINDS:
            body = each.read_bytes()
            found[each.name] = body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return found


def _refusal(why: str, status: int, headers: Mapping[str, str]) -> Response:
    response = require("starlette.responses", extra="gateway").Response
    made: Response = response(
        to_json({"error": why}), status, {**_JSON, "cache-control": "no-store", **headers}
    )
    return made


def _number(query: Mapping[str, Any], name: str, default: float, most: float) -> float:
    text = query.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= most:
        raise wrong(f"{name!r} must be more than 0 and {most:g} at most, but got {text[:40]!r}")
    return value


def _by(said: str, call: Call) -> str:
    return f"{said}, by {call.tenant.name}" if call.tenant.name else said
