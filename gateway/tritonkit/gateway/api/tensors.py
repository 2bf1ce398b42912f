"""Tensors as JSON: what a job is given, and what it gives."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.conversion import to_array
from tritonkit.client.types import InferResponse
from tritonkit.client.wire.datatypes import DATATYPES, datatype_of
from tritonkit.errors import InvalidInput
from tritonkit.gateway.api.fields import Fields, shown, wrong

__all__ = ["read_inputs", "written"]

_TENSOR = ("name", "shape", "datatype", "data")
_MOST = 100
_DIMENSIONS = 32
"""More than numpy's arrays have need of, and fewer than they may have."""


def read_inputs(value: Any) -> Mapping[str, Any]:
    """
    Inputs of a job.

    Args:
        value: Values by name, such as {"text": ["a", "b"]}, or a list of tensors as
            KServe v2 has them: {"name", "shape", "datatype", "data"}.

    Returns:
        By name: arrays of the declared type, or what stands there, for the client to convert.

    Raises:
        Refused: 400 where it is neither.
    """
    if not isinstance(value, dict | list) or not value:
        raise wrong(
            "'inputs' must be values by name, such as {\"text\": [...]}, or tensors with "
            f"'name', 'shape', 'datatype' and 'data', but got {shown(value)}"
        )
    if len(value) > _MOST:
        raise wrong(f"'inputs' must be {_MOST} at most, but got {len(value)}", status=413)
    if isinstance(value, dict):
        for name, each in value.items():
            if each is None or isinstance(each, dict):
                raise wrong(f"input {name[:80]!r} must be numbers or texts, but got {shown(each)}")
        return value
    found: dict[str, Any] = {}
    for number, each in enumerate(value):
        fields = Fields(each, _TENSOR, f"inputs[{number}]")
        name = fields.text("name", most=200)
        if name in found:
            raise wrong(f"'inputs' must name each tensor once, but got {name!r} twice")
        found[name] = _array(name, fields)
    return found


def _array(name: str, fields: Fields) -> NDArray[Any]:
    datatype = fields.text("datatype", most=20)
    if datatype not in DATATYPES:
        raise wrong(
            f"the datatype of input {name!r} must be one of {', '.join(DATATYPES)}, "
            f"but got {datatype!r}"
        )
    shape = fields.any("shape")
    if (
        not isinstance(shape, list)
        or len(shape) > _DIMENSIONS
        or not all(type(each) is int and 0 <= each < 2**31 for each in shape)
    ):
        raise wrong(f"the shape of input {name!r} must be whole numbers from 0 on")
    data = fields.any("data")
    flat = _flat(data if isinstance(data, list) else [data], name)
    if len(flat) != math.prod(shape):
        raise wrong(
            f"input {name!r} must have {math.prod(shape)} values for its shape {shape}, "
            f"but got {len(flat)}"
        )
    try:
        if not flat:
            return np.zeros(shape, dtype=DATATYPES[datatype])
        return to_array(flat, datatype, (-1,), batched=False).reshape(shape)
    except (InvalidInput, OverflowError) as error:
        raise wrong(f"input {name!r} {error}") from None
    except ValueError:
        # Of no elements, and longer than any array may be all the same.
        raise wrong(f"the shape of input {name!r} is larger than any tensor's: {shape}") from None


def _flat(data: list[Any], name: str) -> list[Any]:
    """As KServe has it: nested by the shape, or flat."""
    for _ in range(_DIMENSIONS):
        if not any(isinstance(each, list) for each in data):
            return data
        if not all(isinstance(each, list) for each in data):
            break
        data = [value for each in data for value in each]
    raise wrong(f"the data of input {name!r} must be nested by its shape, or flat")


def written(response: InferResponse) -> dict[str, Any]:
    """
    An answer as KServe v2 has it in JSON.

    Numbers that are not finite are null, which JSON has no others for. Bytes that are no
    UTF-8 make their tensor one of base64, and it says so.
    """
    found: dict[str, Any] = {"model_name": response.model, "model_version": response.version}
    if response.id:
        found["id"] = response.id
    outputs = []
    for name, array in response.outputs.items():
        datatype = datatype_of(array.dtype)
        tensor: dict[str, Any] = {
            "name": name, "datatype": datatype, "shape": list(array.shape)
        }  # fmt: skip
        outputs.append(tensor)
        if datatype == "BYTES":
            tensor |= _texts(array.ravel().tolist())
        elif array.dtype.kind == "f" and not np.isfinite(array).all():
            values = array.ravel().tolist()
            tensor["data"] = [each if math.isfinite(each) else None for each in values]
        else:
            tensor["data"] = array.ravel().tolist()
    return {**found, "outputs": outputs}


def _texts(values: Sequence[Any]) -> dict[str, Any]:
    raw = [each if isinstance(each, bytes) else str(each).encode() for each in values]
    try:
        return {"data": [each.decode() for each in raw]}
    except UnicodeDecodeError:
        return {
            "parameters": {"encoding": "base64"},
            "data": [base64.b64encode(each).decode() for each in raw],
        }
