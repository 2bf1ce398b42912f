"""The model under load, as its server describes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from time import monotonic
from types import TracebackType
from typing import Any, Self

from tritonkit.bench.observe.statistics import Counters, read_counters
from tritonkit.client import Signature
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.codec import decode_json, encode_get, model_path
from tritonkit.client.wire.pool import Pool
from tritonkit.errors import ConfigError, RequestError

__all__ = ["ServedModel"]

_TIMEOUT = 10.0
"""Seconds for a question about a model; the server answers it from memory."""


class ServedModel:
    """
    One model on one server; an async context manager made by `connect`.

    Args:
        address: The server.
        server: Its name and version.
        model: Name of the model.
        version: The version asked for; empty for the server's choice.
        signature: What the model takes and gives.
        configs: The model's configuration, and those of the models that an
            ensemble is composed of, by name; the model itself first.
    """

    def __init__(
        self,
        address: Address,
        server: str,
        model: str,
        version: str,
        signature: Signature,
        configs: Mapping[str, Mapping[str, Any]],
        pool: Pool,
    ) -> None:
        self.address = address
        self.server = server
        self.model = model
        self.version = version
        self.signature = signature
        self.configs = configs
        self._pool = pool

    @classmethod
    async def connect(cls, url: str, model: str, version: str = "") -> Self:
        """
        Ask the server about a model.

        Raises:
            ConfigError: If *url* is not one of a Triton HTTP endpoint.
            RequestError: If nobody answers there, or the model is not ready.
        """
        address = Address.parse(url)
        if address.scheme not in ("http", "https"):
            raise ConfigError(f"the load goes over HTTP: url must be http://..., but got {url!r}.")
        pool = Pool(address, max_connections=1)
        try:
            server = await _get(pool, "/v2")
            metadata = await _get(pool, model_path(model, version), model)
            configs = await _configs(pool, model, version)
            return cls(
                address,
                f"{server.get('name', '')} {server.get('version', '')}".strip(),
                model,
                version,
                Signature.read(metadata, configs[model]),
                configs,
                pool,
            )
        except BaseException:
            await pool.aclose()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._pool.aclose()

    @property
    def config_digests(self) -> dict[str, str]:
        """SHA-256 of each configuration, independent of the order of its fields."""
        return {
            name: hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
            for name, config in self.configs.items()
        }

    async def counters(self) -> tuple[Counters, ...] | None:
        """A reading of every model's statistics; None where the server does not give them."""
        readings: list[Counters] = []
        try:
            for model in self.configs:
                reply = await _get(self._pool, f"{model_path(model)}/stats", model)
                readings.extend(read_counters(reply))
        except RequestError:
            # Statistics may be switched off or guarded; the load is measured all the same.
            return None
        return tuple(readings)


async def _configs(pool: Pool, model: str, version: str) -> dict[str, Mapping[str, Any]]:
    configs: dict[str, Mapping[str, Any]] = {}
    waiting = [(model, version)]
    while waiting:
        name, wanted = waiting.pop(0)
        if name in configs:
            continue
        config = await _get(pool, f"{model_path(name, wanted)}/config", name)
        configs[name] = config
        steps = config.get("ensemble_scheduling", {}).get("step", ())
        # A step's version -1 is the server's choice.
        waiting += [(step["model_name"], "") for step in steps]
    return configs


async def _get(pool: Pool, path: str, model: str = "") -> Any:
    reply = await pool.exchange(encode_get(path, pool.address), monotonic() + _TIMEOUT)
    return decode_json(reply, model)
