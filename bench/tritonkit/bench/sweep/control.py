"""Loading models anew, over the repository API of a server's HTTP port."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from time import monotonic
from typing import Any, Self
from urllib.parse import quote

from tritonkit.bench.sweep.settings import Config
from tritonkit.bench.tls import Tls
from tritonkit.client.transports.http import render_headers
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.answer import load_json
from tritonkit.client.wire.codec import decode_json, encode_get, model_path
from tritonkit.client.wire.pool import Pool
from tritonkit.errors import ConfigError, ProtocolError, RequestError, ServerStartError

__all__ = ["LOAD_TIMEOUT", "ModelControl", "config_digest"]

LOAD_TIMEOUT = 600.0
"""Seconds for one load: large models are read from slow disks."""

_TIMEOUT = 10.0
_MODE = "load / unload is not allowed"
"""What a server says that was not started in the explicit mode, in Triton's words."""
_UNREAD = "failed to poll from model repository"
"""All that Triton says of a configuration that it did not even try."""


class ModelControl:
    """
    Reads and replaces configurations of a running server.

    Args:
        pool: Connections to its HTTP port.
        headers: Rendered header lines, each with its CR LF.
        load_timeout: Seconds for one load.
    """

    def __init__(
        self, pool: Pool, headers: bytes = b"", *, load_timeout: float = LOAD_TIMEOUT
    ) -> None:
        self._pool = pool
        self._headers = headers
        self._load_timeout = load_timeout

    @classmethod
    def connect(
        cls, url: str, *, headers: Mapping[str, str] | None = None, tls: Tls | None = None
    ) -> Self:
        """
        Of the server at *url*; closed by `aclose`.

        Raises:
            ConfigError: If *url* is no HTTP port.
        """
        if not url:
            raise ConfigError(
                "a policy does not tell which of its servers settings are changed on; give that "
                "server's HTTP port with --control-url."
            )
        address = Address.parse(url)
        if address.scheme not in ("http", "https"):
            raise ConfigError(
                f"models are loaded over HTTP, but got {url!r}; give the server's HTTP port with "
                "--control-url."
            )
        context = None if tls is None else tls.context()
        return cls(Pool(address, tls=context, max_connections=1), render_headers(headers or {}))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    @property
    def address(self) -> Address:
        """Of the server."""
        return self._pool.address

    async def config(self, model: str) -> Config:
        """
        A model's configuration, as the server completed it.

        Raises:
            RequestError: If the server does not tell.
        """
        path = f"{model_path(model)}/config"
        request = encode_get(path, self.address, self._headers)
        return decode_json(await self._pool.exchange(request, monotonic() + _TIMEOUT), model)

    async def load(self, model: str, config: Mapping[str, Any]) -> None:
        """
        Load a model with a configuration in place of its file's; no file is touched.

        The model of before answers until the new one is ready, and goes on where the
        new one fails.

        Raises:
            ConfigError: If the server does not let its models be loaded.
            ServerStartError: If it refuses this configuration, in Triton's words.
            RequestError: If it does not answer.
        """
        body = {"parameters": {"config": json.dumps(config)}}
        path = f"/v2/repository/models/{quote(model, safe='')}/load"
        reply = await self._pool.exchange(self._post(path, body), monotonic() + self._load_timeout)
        if reply.status == 200:
            return
        try:
            decode_json(reply, model)
        except RequestError as error:
            raise self._refused(model, str(error)) from error

    async def ready(self) -> frozenset[str]:
        """
        Names of the models that the server has ready.

        Raises:
            RequestError: If the server does not tell.
        """
        states = await self.states()
        return frozenset(name for name, state in states.items() if state == "READY")

    async def states(self) -> dict[str, str]:
        """
        The states of the models that the server has or had; of any other it says nothing.

        Raises:
            RequestError: If the server does not tell.
        """
        request = self._post("/v2/repository/index", {})
        reply = await self._pool.exchange(request, monotonic() + _TIMEOUT)
        if reply.status != 200:
            decode_json(reply)
        entries = load_json(bytes(reply.body))
        try:
            # A model of several versions has several; one that is ready says it all.
            found = [(e["name"], e["state"]) for e in entries if e.get("state")]
            return dict(sorted(found, key=lambda entry: entry[1] == "READY"))
        except (TypeError, KeyError, AttributeError) as error:
            raise ProtocolError(f"the repository's index is not Triton's: {error!r}") from error

    def _post(self, path: str, content: Mapping[str, Any]) -> bytes:
        body = json.dumps(content).encode()
        head = (
            f"POST {self.address.path}{path} HTTP/1.1\r\nHost: {self.address.authority}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        return b"%s%s\r\n%s" % (head.encode(), self._headers, body)

    def _refused(self, model: str, message: str) -> Exception:
        if _MODE in message:
            return ConfigError(
                f"the server at {self.address} does not let its models be loaded anew, which a "
                "sweep of settings needs; start it with --model-control-mode explicit "
                "--load-model '*' (tritonkit serve takes both as tritonserver does)."
            )
        if _UNREAD in message:
            message += "; Triton found the configuration wrong, and its log says why"
        return ServerStartError(message, models={model: message})


def config_digest(config: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration, independent of the order of its fields."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
