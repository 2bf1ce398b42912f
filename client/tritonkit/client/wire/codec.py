"""
Inference requests and responses of KServe v2 with Triton's binary tensors, over HTTP/1.1.

Source: server/docs/protocol/extension_binary_data.md. A body is, byte for byte,
what tritonclient sends.
"""

from __future__ import annotations

import json
from functools import lru_cache
from time import monotonic
from typing import Any
from urllib.parse import quote

from numpy.typing import NDArray

from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.answer import from_json, load_json, read_answer
from tritonkit.client.wire.errors import refusal
from tritonkit.client.wire.http1 import Reply
from tritonkit.client.wire.tensors import Buffer, decode_tensor, encode_tensor, tensor_datatype
from tritonkit.errors import DeadlineExceeded, InvalidInput, ProtocolError, RequestError

__all__ = ["decode_infer", "decode_json", "encode_get", "encode_infer", "model_path", "refused"]


def encode_infer(request: InferRequest, address: Address, headers: bytes = b"") -> bytes:
    """
    A whole HTTP/1.1 request, ready to write.

    Every output is asked for in binary. A deadline goes along as Triton's own
    `timeout` parameter, in microseconds from now, unless the request has one:
    a queue that respects it drops what nobody waits for any more.

    Args:
        request: Arrays have their tensor's type already.
        address: Scheme http or https.
        headers: Rendered header lines, each with its CR LF.

    Raises:
        InvalidInput: If an array or a parameter cannot be sent.
        DeadlineExceeded: If the deadline has passed.
    """
    signature = []
    buffers: list[Buffer] = [b""]
    total = 0
    for name, array in request.inputs.items():
        try:
            datatype = tensor_datatype(array)
            data, size = encode_tensor(array, datatype)
        except InvalidInput as error:
            raise InvalidInput(f"input {name!r} {error}", model=request.model) from error
        buffers.append(data)
        total += size
        signature.append((name, array.shape, datatype, size))
    body = _tensors_json(tuple(signature), request.outputs)
    if request.id:
        body = b'{"id":%s,%s' % (_dump(request.id).encode(), body[1:])
    if parameters := _parameters_json(request):
        body = b'%s,"parameters":{%s}}' % (body[:-1], parameters.encode())
    buffers[0] = b"%s%d\r\nInference-Header-Content-Length: %d\r\n%s\r\n%s" % (
        _request_head(address, request.model, request.version),
        len(body) + total,
        len(body),
        headers,
        body,
    )
    return b"".join(buffers)


def encode_get(path: str, address: Address, headers: bytes = b"") -> bytes:
    """A whole GET request for *path*, which is quoted already."""
    return b"GET %s%s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (
        address.path.encode(),
        path.encode(),
        address.authority.encode(),
        headers,
    )


def model_path(model: str, version: str = "") -> str:
    """Path of a model below the address, quoted."""
    path = f"/v2/models/{quote(model, safe='')}"
    return f"{path}/versions/{quote(version, safe='')}" if version else path


def decode_infer(reply: Reply, model: str) -> InferResponse:
    """
    Read the response to an inference request.

    Args:
        reply: Its body stays referenced by the arrays, which are views of it.
        model: The model that was asked, for errors.

    Raises:
        RequestError: The class that fits the server's refusal.
        ProtocolError: If the answer is not KServe v2.
    """
    if reply.status != 200:
        raise refused(reply, model)
    try:
        return _decode_infer(reply)
    except ProtocolError as error:
        error.model = model
        raise


def decode_json(reply: Reply, model: str = "") -> dict[str, Any]:
    """
    Read the response to anything but inference.

    Raises:
        RequestError: The class that fits the server's refusal.
        ProtocolError: If the answer is not a JSON object.
    """
    if reply.status != 200:
        raise refused(reply, model)
    answer = load_json(bytes(reply.body))
    if not isinstance(answer, dict):
        raise ProtocolError(f"the answer is no JSON object: {bytes(reply.body[:200])!r}")
    return answer


def refused(reply: Reply, model: str = "") -> RequestError:
    """The error that an answer other than 200 means."""
    return refusal(
        reply.status,
        _message(reply),
        model=model,
        said=bytes(reply.body),
        content_type=reply.headers.get("content-type", "text/plain"),
    )


@lru_cache(maxsize=512)
def _request_head(address: Address, model: str, version: str) -> bytes:
    path = f"{address.path}{model_path(model, version)}/infer"
    return (
        f"POST {path} HTTP/1.1\r\nHost: {address.authority}\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: "
    ).encode()


@lru_cache(maxsize=512)
def _tensors_json(
    inputs: tuple[tuple[str, tuple[int, ...], str, int], ...],
    outputs: tuple[str, ...] | None,
) -> bytes:
    body: dict[str, Any] = {
        "inputs": [
            {
                "name": name,
                "shape": shape,
                "datatype": datatype,
                "parameters": {"binary_data_size": size},
            }
            for name, shape, datatype, size in inputs
        ]
    }
    if outputs:
        body["outputs"] = [{"name": name, "parameters": {"binary_data": True}} for name in outputs]
    return _dump(body).encode()


def _parameters_json(request: InferRequest) -> str:
    """The inside of the object, in tritonclient's order as far as it has one."""
    parts = []
    if request.deadline is not None and "timeout" not in request.parameters:
        remaining = request.deadline - monotonic()
        if remaining <= 0:
            raise DeadlineExceeded(
                "the deadline passed before the request was sent", model=request.model
            )
        parts.append(f'"timeout":{max(1, int(remaining * 1e6))}')
    if request.parameters:
        for name, value in request.parameters.items():
            if not isinstance(value, (str, int, float)):
                raise InvalidInput(
                    f"parameter {name!r} must be str, int, float or bool, but got {value!r}"
                )
        try:
            parts.append(_dump(dict(request.parameters))[1:-1])
        except ValueError as error:
            raise InvalidInput(
                f"a parameter must be finite, but got {dict(request.parameters)!r}"
            ) from error
    if not request.outputs:
        # All of them, in binary.
        parts.append('"binary_data_output":true')
    return ",".join(parts)


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _decode_infer(reply: Reply) -> InferResponse:
    body = reply.body
    header_length = reply.headers.get("inference-header-content-length")
    if header_length is None:
        size = len(body)
    elif header_length.isdecimal() and len(header_length) < 19:
        size = int(header_length)
    else:
        raise ProtocolError(f"not an Inference-Header-Content-Length: {header_length!r}")
    if size > len(body):
        raise ProtocolError(
            f"the JSON part is {size} bytes long by its header, but the body has {len(body)}"
        )
    text = bytes(body[:size])
    answer = read_answer(text, binary=size < len(body))
    outputs: dict[str, NDArray[Any]] = {}
    start = size
    for name, datatype, shape, length, data in answer.outputs:
        if length is None:
            outputs[name] = from_json(name, datatype, shape, data)
            continue
        end = start + length
        if end > len(body):
            raise ProtocolError(
                f"output {name!r} ends {end - len(body)} bytes after the end of the body"
            )
        outputs[name] = decode_tensor(body[start:end], datatype, shape)
        start = end
    if start != len(body):
        raise ProtocolError(f"{len(body) - start} bytes of the body belong to no output")
    return InferResponse(
        model=answer.model,
        outputs=outputs,
        version=answer.version,
        parameters=answer.parameters,
        id=answer.id,
    )


def _message(reply: Reply) -> str:
    """What the server said: Triton's JSON, or the start of whatever a proxy wrote."""
    text = bytes(reply.body[:65536]).decode(errors="replace").strip()
    try:
        message = json.loads(text)["error"]
    except (ValueError, TypeError, KeyError):
        message = None
    if isinstance(message, str):
        return message
    location = reply.headers.get("location")
    if location:
        return f"redirects are not followed (to {location})"
    return text[:500] or "it gave no reason"
