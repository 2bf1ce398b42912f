"""Answers to inferences, as bytes."""

from __future__ import annotations

from collections.abc import Container
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.types import InferResponse, Parameter
from tritonkit.client.wire.datatypes import BFLOAT16, to_bfloat16
from tritonkit.client.wire.tensors import Buffer, encode_tensor, tensor_datatype
from tritonkit.errors import InvalidInput
from tritonkit.gateway.protocol.asked import Asked
from tritonkit.gateway.protocol.bfloat16 import may_be_bfloat16
from tritonkit.gateway.protocol.grisu import write_float
from tritonkit.gateway.protocol.values import quoted, write_values

__all__ = ["encode"]


def encode(
    response: InferResponse, asked: Asked, bfloat16: Container[str] = ()
) -> tuple[bytes, int | None]:
    """
    The body of the answer, byte for byte what Triton writes.

    Args:
        response: Any layer's or the server's.
        asked: The request that it answers.
        bfloat16: Names of the outputs that the model has as BF16. A client gets them as
            float32, which loses nothing, and they go out as they were.

    Returns:
        The body, and how long its JSON part is where bytes follow it: the header
        Inference-Header-Content-Length. The content type is "application/octet-stream"
        then, and "application/json" otherwise.

    Raises:
        InvalidInput: If an output is wanted in a form that it has not.
    """
    binary, others = asked.form.binary, asked.form.others
    parts: list[Buffer] = [b""]
    outputs: list[tuple[str, str, tuple[int, ...], int | bytes]] = []
    total = 0
    plain = True
    for name, array in response.outputs.items():
        datatype = tensor_datatype(array)
        if bfloat16 and datatype == "FP32" and name in bfloat16:
            datatype = "BF16"
            array = _narrowed(array)
        if binary.get(name, others):
            data, size = encode_tensor(array, datatype)
            if size:
                parts.append(data)
                total += size
            outputs.append((name, datatype, array.shape, size))
            continue
        if datatype in ("FP16", "BF16"):
            raise _formless(datatype, response.model)
        plain = False
        outputs.append((name, datatype, array.shape, write_values(array)))
    # JSON data is never the same again, so its text is not kept.
    parameters = _parameters(response)
    write = _kept_outputs if plain and _short(parameters) else _outputs
    text = write(response.model, response.version, tuple(outputs), parameters)
    if id := asked.request.id:
        text = b'{"id":%s,%s' % (quoted(id), text[1:])
    if not total:
        return text, None
    parts[0] = text
    return b"".join(parts), len(text)


def _narrowed(array: NDArray[Any]) -> NDArray[Any]:
    if not may_be_bfloat16(array):
        # Somebody's own number, as of a last resort.
        return to_bfloat16(array)
    # Widening added 16 zeros below the bits that there were.
    bits = array.astype("<f4", copy=False).view("<u4") >> np.uint32(16)
    return bits.astype("<u2").view(BFLOAT16)


def _outputs(
    model: str,
    version: str,
    outputs: tuple[tuple[str, str, tuple[int, ...], int | bytes], ...],
    parameters: tuple[tuple[str, type, Parameter], ...],
) -> bytes:
    written = []
    for name, datatype, shape, data in outputs:
        dimensions = ",".join(map(str, shape)).encode()
        start = b'{"name":%s,"datatype":"%s","shape":[%s],' % (
            quoted(name),
            datatype.encode(),
            dimensions,
        )
        if isinstance(data, bytes):
            written.append(b'%s"data":%s}' % (start, data))
        else:
            written.append(b'%s"parameters":{"binary_data_size":%d}}' % (start, data))
    said = b""
    if parameters:
        said = b',"parameters":{%s}' % b",".join(
            b"%s:%s" % (quoted(name), _value(value)) for name, _, value in parameters
        )
    return b'{"model_name":%s,"model_version":%s%s,"outputs":[%s]}' % (
        quoted(model),
        quoted(version),
        said,
        b",".join(written),
    )


_kept_outputs = lru_cache(maxsize=1024)(_outputs)


def _parameters(response: InferResponse) -> tuple[tuple[str, type, Parameter], ...]:
    """With their types, since True is 1 to a dictionary."""
    if not response.parameters:
        return ()
    return tuple((name, type(value), value) for name, value in response.parameters.items())


def _short(parameters: tuple[tuple[str, type, Parameter], ...]) -> bool:
    """Whether they are as those of an ensemble, of whose like few different ones come."""
    return len(parameters) < 8 and all(
        type(value) is not str or len(value) < 64 for _, _, value in parameters
    )


def _value(value: Parameter) -> bytes:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return (write_float(value) if isinstance(value, float) else str(value)).encode()


def _formless(datatype: str, model: str) -> InvalidInput:
    said = (
        f"sending {datatype} data via JSON is not supported. Please use the binary data "
        "format for output"
    )
    body = b'{"error":%s}' % quoted(said)
    return InvalidInput(said, model=model, status=400, said=body, content_type="text/plain")
