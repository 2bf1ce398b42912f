"""Inference requests and responses as messages of Triton's gRPC service."""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence
from typing import Any

from google.protobuf.message import Message
from tritonclient.grpc import service_pb2

from tritonkit.client.types import InferRequest, InferResponse, Parameter
from tritonkit.client.wire.tensors import decode_tensor, encode_tensor, tensor_datatype
from tritonkit.errors import InvalidInput, ProtocolError

__all__ = ["infer_request", "infer_response", "plain"]


def infer_request(request: InferRequest) -> Any:
    """
    A ModelInferRequest with raw tensors; a deadline goes along as Triton's `timeout`.

    Raises:
        InvalidInput: If an array or a parameter cannot be sent.
    """
    message = service_pb2.ModelInferRequest(
        model_name=request.model, model_version=request.version, id=request.id
    )
    for name, array in request.inputs.items():
        try:
            datatype = tensor_datatype(array)
            data, _ = encode_tensor(array, datatype)
        except InvalidInput as error:
            raise InvalidInput(f"input {name!r} {error}") from error
        message.inputs.add(name=name, datatype=datatype, shape=array.shape)
        message.raw_input_contents.append(bytes(data))
    for name in request.outputs or ():
        message.outputs.add(name=name)
    parameters = dict(request.parameters)
    remaining = request.remaining()
    if remaining is not None:
        parameters.setdefault("timeout", max(1, int(remaining * 1e6)))
    for name, value in parameters.items():
        _set_parameter(message.parameters[name], name, value)
    return message


def _set_parameter(target: Any, name: str, value: Parameter) -> None:
    if isinstance(value, bool):
        target.bool_param = value
    elif isinstance(value, int):
        try:
            target.int64_param = value
        except ValueError as error:
            raise InvalidInput(f"parameter {name!r} must fit 64 bits, but got {value}") from error
    elif isinstance(value, float):
        target.double_param = value
    elif isinstance(value, str):
        target.string_param = value
    else:
        raise InvalidInput(f"parameter {name!r} must be str, int, float or bool, but got {value!r}")


def infer_response(answer: Any) -> InferResponse:
    """
    What a ModelInferResponse holds; arrays are views of it.

    Raises:
        ProtocolError: If it is not KServe v2 with raw tensors.
    """
    if len(answer.outputs) != len(answer.raw_output_contents):
        raise ProtocolError("the answer holds tensors that are not in Triton's raw form")
    return InferResponse(
        model=answer.model_name,
        version=answer.model_version,
        id=answer.id,
        parameters={name: _parameter(value) for name, value in answer.parameters.items()},
        outputs={
            output.name: decode_tensor(memoryview(data), output.datatype, tuple(output.shape))
            for output, data in zip(answer.outputs, answer.raw_output_contents, strict=True)
        },
    )


def _parameter(value: Any) -> Parameter:
    kind = value.WhichOneof("parameter_choice")
    parameter: Parameter = getattr(value, kind) if kind else ""
    return parameter


def plain(message: Message) -> dict[str, Any]:
    """
    A message as Triton's HTTP front end writes it in JSON: every field that has
    no presence, 64-bit integers as numbers, enums by name.
    """
    return {
        field.name: _value(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def _value(field: Any, value: Any) -> Any:
    if isinstance(value, MutableMapping):
        key_field = field.message_type.fields_by_name["value"]
        return {str(key): _value(key_field, value[key]) for key in value}
    if isinstance(value, MutableSequence):
        return [_value(field, item) for item in value]
    if isinstance(value, Message):
        return plain(value)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return value
