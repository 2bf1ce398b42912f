"""The model under load, as its server describes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from time import monotonic
from types import TracebackType
from typing import Any, Self

from tritonkit.bench.observe.statistics import Counters, read_counters
from tritonkit.bench.tls import Tls
from tritonkit.client import AsyncClient, HttpTransport, Signature
from tritonkit.client.stack import Target, Transport
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError, RequestError

__all__ = ["ServedModel", "check_kind", "connect_to", "servers_behind"]

_TIMEOUT = 10.0
"""Seconds for a question about a model; the server answers it from memory."""


class ServedModel:
    """
    One model on one server; an async context manager made by `connect`.

    Or the models that a stack of layers asks for one, made by `behind`.

    Args:
        address: The server; the first one where there are several.
        server: Its name and version.
        model: Name of the model.
        version: The version asked for; empty for the server's choice.
        signature: What the model takes and gives.
        configs: The model's configuration, and those of the models that an
            ensemble is composed of, by name; the model itself first.
        transports: What asks for the counters of each of them, by name.
        owned: What is closed with this: a transport, or a client with its own.
    """

    def __init__(
        self,
        address: Address,
        server: str,
        model: str,
        version: str,
        signature: Signature,
        configs: Mapping[str, Mapping[str, Any]],
        transports: Mapping[str, Transport],
        owned: Transport | AsyncClient,
    ) -> None:
        self.address = address
        self.server = server
        self.model = model
        self.version = version
        self.signature = signature
        self.configs = dict(configs)
        self.others: tuple[Signature, ...] = ()
        """Of the other models of a mix."""
        self._transports = dict(transports)
        self._owned = [owned]

    @classmethod
    async def connect(
        cls,
        url: str,
        model: str,
        version: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        tls: Tls | None = None,
    ) -> Self:
        """
        Ask the server about a model.

        Args:
            url: Starts with http, https, grpc or grpcs.
            model: Its name.
            version: Its version; empty for the server's choice.
            headers: Sent with every question.
            tls: How to check an https or a grpcs server.

        Raises:
            ConfigError: If *url* is not one of a Triton endpoint.
            RequestError: If nobody answers there, or the model is not ready.
        """
        transport = connect_to(url, headers=headers, tls=tls)
        try:
            signature, configs = await _look(transport, model, version)
            return cls(
                Address.parse(url),
                await _name(transport),
                model,
                version,
                signature,
                configs,
                dict.fromkeys(configs, transport),
                transport,
            )
        except BaseException:
            await transport.aclose()
            raise

    @classmethod
    async def behind(cls, client: AsyncClient, model: str, version: str = "") -> Self:
        """
        Ask about the models that a client's layers may ask for a model: its routes' as well.

        The client is closed with this, and at once where nobody answers.

        A route that does not answer is left out; it may be a fallback's case. So is a
        model of a name that another route has already, at another server.

        Raises:
            RequestError: If nobody can tell what the model takes.
        """
        try:
            signature = await client.signature(model, version, timeout=_TIMEOUT)
            configs: dict[str, Mapping[str, Any]] = {}
            transports: dict[str, Transport] = {}
            for transport, name, asked, _ in client.stack.targets(
                Target(client.transport, model, version)
            ):
                try:
                    found = await _configs(transport, name, asked)
                except RequestError:
                    continue
                for each, config in found.items():
                    if each not in configs:
                        configs[each], transports[each] = config, transport
            return cls(
                _address(client.transport, model),
                await _name(client.transport),
                model,
                version,
                signature,
                configs,
                transports,
                client,
            )
        except BaseException:
            await client.aclose()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections to the server."""
        while self._owned:
            await self._owned.pop().aclose()

    def add(self, other: ServedModel) -> None:
        """Tell of another model of the same load as well; it is closed with this."""
        self.others += (other.signature, *other.others)
        for name, config in other.configs.items():
            if name not in self.configs:
                self.configs[name] = config
                self._transports[name] = other._transports[name]
        self._owned += other._owned

    @property
    def config_digests(self) -> dict[str, str]:
        """SHA-256 of each configuration, independent of the order of its fields."""
        return {
            name: hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
            for name, config in self.configs.items()
        }

    async def counters(self) -> tuple[Counters, ...] | None:
        """
        A reading of every model's statistics; None where the server does not give them.

        Nor do several servers behind one address: a name is on each of them.
        """
        readings: list[Counters] = []
        if any(transport.several for transport in self._transports.values()):
            return None
        try:
            for model, transport in self._transports.items():
                entries = await transport.statistics(model, deadline=monotonic() + _TIMEOUT)
                readings.extend(read_counters({"model_stats": entries}))
        except RequestError:
            # Statistics may be switched off or guarded; the load is measured all the same.
            return None
        return tuple(readings)


def check_kind(model: str, config: Mapping[str, Any]) -> None:
    """
    Refuse a model whose every request would fail.

    Raises:
        ConfigError: If a request has not exactly one answer, or needs a sequence.
    """
    if config.get("model_transaction_policy", {}).get("decoupled"):
        raise ConfigError(
            f"model {model!r} is decoupled: it gives a request any number of answers, as a "
            "stream; this measures models that give one."
        )
    if "sequence_batching" in config:
        raise ConfigError(
            f"model {model!r} has the sequence batcher: its requests belong to sequences, "
            "which a load here does not have."
        )


def connect_to(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    tls: Tls | None = None,
) -> Transport:
    """The client's transport of *url*; arguments as those of `ServedModel.connect`."""
    if Address.parse(url).scheme in ("http", "https"):
        context = None if tls is None else tls.context()
        return HttpTransport(url, max_connections=1, tls=context, headers=headers)
    # grpc takes 100 ms and 20 MB to import.
    from tritonkit.client.transports.grpc import GrpcTransport

    credentials = None if tls is None else tls.credentials()
    return GrpcTransport(url, credentials=credentials, headers=headers)


async def _look(transport: Transport, model: str, version: str) -> tuple[Signature, dict[str, Any]]:
    metadata = await transport.metadata(model, version, deadline=monotonic() + _TIMEOUT)
    configs = await _configs(transport, model, version)
    return Signature.read(metadata, configs[model]), configs


async def _configs(transport: Transport, model: str, version: str) -> dict[str, Mapping[str, Any]]:
    configs: dict[str, Mapping[str, Any]] = {}
    waiting = [(model, version)]
    while waiting:
        name, wanted = waiting.pop(0)
        if name in configs:
            continue
        config = await transport.config(name, wanted, deadline=monotonic() + _TIMEOUT)
        check_kind(name, config)
        configs[name] = config
        steps = config.get("ensemble_scheduling", {}).get("step", ())
        # A step's version -1 is the server's choice.
        waiting += [(step["model_name"], "") for step in steps]
    return configs


async def _name(transport: Transport) -> str:
    about = await transport.about(deadline=monotonic() + _TIMEOUT)
    return f"{about.get('name', '')} {about.get('version', '')}".strip()


def servers_behind(client: AsyncClient, model: str, version: str = "") -> list[Address]:
    """Every server that a client's layers may ask for a model, each once; nobody is asked."""
    targets = client.stack.targets(Target(client.transport, model, version))
    found = [address for target in targets for address in _addresses(target[0], target[1])]
    return list(dict.fromkeys(found))


def _addresses(transport: Transport, model: str) -> list[Address]:
    address = getattr(transport, "address", None)
    if isinstance(address, Address):
        return [address]
    return [Address.parse(name) for name in transport.servers(model) if name]


def _address(transport: Transport, model: str) -> Address:
    servers = _addresses(transport, model)
    if not servers:
        raise ConfigError(f"{transport!r} does not say where its server is.")
    return servers[0]
