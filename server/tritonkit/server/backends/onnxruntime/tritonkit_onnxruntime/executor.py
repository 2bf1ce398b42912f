"""Running requests through a session: join, run, split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .batch_input import read_batch_inputs
from .checks import config_shape
from .errors import RUNTIME_ERRORS, RequestError, runtime_text
from .graph import Graph

__all__ = ["Answer", "Call", "Executor"]

Tensors: TypeAlias = Mapping[str, NDArray[Any]]
"""Arrays by tensor name; strings are arrays of dtype object."""

Answer: TypeAlias = "dict[str, NDArray[Any]] | RequestError"
"""The outputs of one request, or why it has none."""


class Call(NamedTuple):
    """
    One request. A tuple, because one is made for every request.

    Args:
        inputs: Its arrays, in the order of the request. Strings are bytes objects.
        outputs: Names of the outputs it wants.
        id: Its id, empty for none.
    """

    inputs: Tensors
    outputs: tuple[str, ...]
    id: str = ""


class Executor:
    """
    Answers requests with a session.

    Args:
        session: The InferenceSession.
        graph: Its graph.
        config: Its model configuration, complete and checked.
        run_options: RunOptions of every run.
    """

    def __init__(
        self,
        session: Any,
        graph: Graph,
        config: Mapping[str, Any],
        *,
        run_options: Any = None,
    ) -> None:
        self._session = session
        self._run_options = run_options
        self._batching = config.get("max_batch_size", 0) > 0
        self._batch_inputs = read_batch_inputs(config)
        tensors = {**graph.inputs, **graph.initializers}.values()
        self._strings = frozenset(t.name for t in tensors if t.data_type == "TYPE_STRING")
        self._scalars = frozenset(t.name for t in tensors if not t.shape)
        self._ragged = frozenset(
            io["name"] for io in config.get("input", []) if io.get("allow_ragged_batch")
        )
        self._plain = not (self._strings or self._scalars or self._ragged)
        self._scalar_shapes = {
            io["name"]: config_shape(io)
            for io in config.get("output", [])
            if not graph.outputs[io["name"]].shape
        }

    def answer(self, calls: Sequence[Call]) -> list[Answer]:
        """
        Answer requests, each with its outputs or with its own error.

        They run as one batch. Where that fails, or their shapes do not join, each runs
        alone, so that a bad request takes no other with it.
        """
        if self._plain:
            return self._answer(calls)
        answers: dict[int, Answer] = {}
        ready: dict[int, Call] = {}
        for index, call in enumerate(calls):
            try:
                ready[index] = self._prepare(call)
            except RequestError as error:
                answers[index] = error
        answers.update(zip(ready, self._answer(list(ready.values())), strict=True))
        return [answers[index] for index in range(len(calls))]

    def _prepare(self, call: Call) -> Call:
        inputs = dict(call.inputs)
        for name in self._strings & inputs.keys():
            inputs[name] = _decode(name, inputs[name])
        for name in self._scalars & inputs.keys():
            if inputs[name].size == 1:
                inputs[name] = inputs[name].reshape(())
        return call._replace(inputs=inputs)

    def _answer(self, calls: Sequence[Call]) -> list[Answer]:
        if len(calls) > 1 and not self._batching:
            return [answer for call in calls for answer in self._answer([call])]
        try:
            return self._run(calls)
        except RequestError as error:
            if len(calls) <= 1:
                return [error for _ in calls]
            return [answer for call in calls for answer in self._answer([call])]

    def _run(self, calls: Sequence[Call]) -> list[Answer]:
        if not calls:
            return []
        names = calls[0].outputs
        if any(call.outputs != names for call in calls):
            names = tuple({name: None for call in calls for name in call.outputs})
        try:
            arrays = self._session.run(names, self._join(calls), self._run_options)
        except RUNTIME_ERRORS as error:
            raise RequestError(runtime_text(error)) from error
        return self._split(dict(zip(names, arrays, strict=True)), calls)

    def _join(self, calls: Sequence[Call]) -> Tensors:
        if len(calls) == 1 and not self._ragged and not self._batch_inputs:
            return calls[0].inputs
        joined: dict[str, NDArray[Any]] = {}
        for name in calls[0].inputs:
            arrays = [call.inputs[name] for call in calls]
            if name in self._ragged:
                arrays = [array.ravel() for array in arrays]
            joined[name] = np.concatenate(arrays)
        for batch_input in self._batch_inputs:
            values = batch_input.values([call.inputs[batch_input.source] for call in calls])
            joined.update(dict.fromkeys(batch_input.targets, values))
        return joined

    def _split(self, tensors: Tensors, calls: Sequence[Call]) -> list[Answer]:
        if self._scalar_shapes:
            tensors = {
                name: array if array.ndim else array.reshape(self._scalar_shapes[name])
                for name, array in tensors.items()
            }
        if not self._batching:
            return [dict(tensors)]
        answers: list[Answer] = []
        start = 0
        for call in calls:
            first = next(iter(call.inputs.values()))
            stop = start + (first.shape[0] if first.ndim else 1)
            answers.append(_rows(tensors, call, start, stop))
            start = stop
        return answers


def _rows(tensors: Tensors, call: Call, start: int, stop: int) -> Answer:
    rows = {}
    for name in call.outputs:
        array = tensors[name]
        if stop > array.shape[0]:
            return RequestError(
                f"[request id: {call.id or '<id_unknown>'}] failed to split the output tensor "
                f"'{name}' in responses: expected batch size of atleast {stop} in model output, "
                f"got {array.shape[0]}",
                code="UNSUPPORTED",
            )
        rows[name] = array[start:stop]
    return rows


def _decode(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Bytes as the str objects that onnxruntime takes; what is str stays."""
    decoded = np.empty(array.shape, dtype=np.object_)
    flat = decoded.reshape(-1)
    for index, value in enumerate(array.reshape(-1).tolist()):
        try:
            flat[index] = value.decode() if isinstance(value, bytes) else value
        except UnicodeDecodeError as error:
            raise RequestError(
                f"element {index} of string input '{name}' is not UTF-8, which ONNX strings "
                f"must be: {error}",
                code="INVALID_ARG",
            ) from error
    return decoded
