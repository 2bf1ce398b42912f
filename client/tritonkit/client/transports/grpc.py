"""Triton over gRPC, by the messages and stubs that tritonclient generates from Triton's protos."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import grpc
from google.protobuf.message import Message
from tritonclient.grpc import MAX_GRPC_MESSAGE_SIZE, KeepAliveOptions, service_pb2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from tritonkit.client.spans import trace_headers
from tritonkit.client.stack import Transport, refuse_kept
from tritonkit.client.transports.messages import infer_request, infer_response, plain
from tritonkit.client.transports.statuses import grpc_refusal
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError, DeadlineExceeded, RequestError

__all__ = ["GrpcTransport"]

_started_in: int | None = None
"""The process that opened its first channel; gRPC's threads are in no child of it."""


class GrpcTransport(Transport):
    """
    For servers that offer gRPC only; HTTP is faster from Python.

    gRPC does not survive a fork of a process that has used it: the child is
    refused here, and may hang as its interpreter ends. Start gRPC clients after
    the fork.

    Args:
        url: "grpc://host:port", or "grpcs://host:port" for TLS.
        credentials: How to check a grpcs server; None trusts the system's authorities.
        channel_args: Options of the channel, on top of tritonclient's defaults
            for message sizes and keep-alive. gRPC's own retries are off, since
            they would multiply with those of a Retry.
        headers: Sent as metadata of every call, such as authorization.

    Raises:
        ConfigError: If the URL is wrong.
    """

    cancels = True

    def __init__(
        self,
        url: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        channel_args: Sequence[tuple[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.address = Address.parse(url)
        if self.address.scheme not in ("grpc", "grpcs"):
            raise ConfigError(f"url must start with grpc:// or grpcs://, but got {url!r}.")
        self._credentials = credentials
        self._options = [*{**_default_options(), **dict(channel_args)}.items()]
        self._headers = [(name.lower(), value) for name, value in (headers or {}).items()]
        self._owner: tuple[asyncio.AbstractEventLoop, int] | None = None
        self._channel: Any = None
        self._stub: Any = None
        self._in_flight = 0
        self._closed = False

    def __repr__(self) -> str:
        return f"GrpcTransport({str(self.address)!r})"

    async def __call__(self, request: InferRequest, /) -> InferResponse:
        """Send *request* and wait for its answer."""
        refuse_kept(request)
        with _errors(self.address, request.model):
            message = infer_request(request)
            answer = await self._call("ModelInfer", message, request.deadline)
            return infer_response(answer)

    async def metadata(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """The model's metadata: name, versions, platform, inputs, outputs."""
        message = service_pb2.ModelMetadataRequest(name=model, version=version)
        with _errors(self.address, model):
            return plain(await self._call("ModelMetadata", message, deadline))

    async def config(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """The model's configuration as Triton completed it."""
        message = service_pb2.ModelConfigRequest(name=model, version=version)
        with _errors(self.address, model):
            return plain((await self._call("ModelConfig", message, deadline)).config)

    async def ready(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> bool:
        """Whether the server, or the named model, says that it takes requests."""
        with _errors(self.address, model):
            if model:
                message = service_pb2.ModelReadyRequest(name=model, version=version)
                answer = await self._call("ModelReady", message, deadline)
            else:
                answer = await self._call("ServerReady", service_pb2.ServerReadyRequest(), deadline)
            return bool(answer.ready)

    async def about(self, *, deadline: float | None = None) -> dict[str, Any]:
        """The server's metadata: name, version, extensions."""
        with _errors(self.address, ""):
            message = service_pb2.ServerMetadataRequest()
            return plain(await self._call("ServerMetadata", message, deadline))

    async def statistics(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        """Triton's counters, one entry for each model and version."""
        message = service_pb2.ModelStatisticsRequest(name=model, version=version)
        with _errors(self.address, model):
            answer = await self._call("ModelStatistics", message, deadline)
            return [plain(entry) for entry in answer.model_stats]

    async def aclose(self) -> None:
        """Close the channel, or leave that to the last call in flight."""
        self._closed = True
        await self._close_unused()

    async def _call(self, method: str, message: Message, deadline: float | None) -> Any:
        if self._owner != _here():
            self._connect()
        if self._closed:
            raise ConfigError("the client is closed")
        timeout = None if deadline is None else deadline - monotonic()
        if timeout is not None and timeout <= 0:
            raise DeadlineExceeded("the deadline passed before the request was sent")
        self._in_flight += 1
        try:
            return await getattr(self._stub, method)(
                message, timeout=timeout, metadata=[*self._headers, *trace_headers()]
            )
        finally:
            self._in_flight -= 1
            await self._close_unused()

    async def _close_unused(self) -> None:
        if self._closed and not self._in_flight and self._owner == _here():
            await self._channel.close()

    def _connect(self) -> None:
        """A channel lives in one event loop, and gRPC in one process."""
        global _started_in
        if _started_in not in (None, os.getpid()):
            raise ConfigError(
                "gRPC does not survive a fork; start gRPC clients after it, or use http://"
            )
        _started_in = os.getpid()
        if self._owner is not None:
            loop, _ = self._owner
            if not loop.is_closed():
                raise ConfigError(
                    "a client belongs to one event loop; make one AsyncClient per loop, "
                    "or use Client, which works from every thread"
                )
        target = self.address.authority
        if self.address.secure:
            credentials = self._credentials or grpc.ssl_channel_credentials()
            self._channel = grpc.aio.secure_channel(target, credentials, options=self._options)
        else:
            self._channel = grpc.aio.insecure_channel(target, options=self._options)
        self._stub = GRPCInferenceServiceStub(self._channel)
        self._owner = _here()
        self._in_flight = 0


def _here() -> tuple[asyncio.AbstractEventLoop, int]:
    return asyncio.get_running_loop(), os.getpid()


def _default_options() -> dict[str, Any]:
    """What tritonclient sets, and drops as a whole when one option is given; and no retries."""
    keepalive = KeepAliveOptions()
    return {
        "grpc.max_send_message_length": MAX_GRPC_MESSAGE_SIZE,
        "grpc.max_receive_message_length": MAX_GRPC_MESSAGE_SIZE,
        "grpc.keepalive_time_ms": keepalive.keepalive_time_ms,
        "grpc.keepalive_timeout_ms": keepalive.keepalive_timeout_ms,
        "grpc.keepalive_permit_without_calls": keepalive.keepalive_permit_without_calls,
        "grpc.http2.max_pings_without_data": keepalive.http2_max_pings_without_data,
        # On by default, and multiplied with a Retry where a service config has a policy.
        "grpc.enable_retries": 0,
    }


@contextmanager
def _errors(address: Address, model: str) -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        text = error.details() or error.code().name
        raise grpc_refusal(error.code().value[0], text, address, model=model) from error
    except RequestError as error:
        error.model = model
        raise
