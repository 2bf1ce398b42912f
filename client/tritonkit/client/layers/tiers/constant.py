"""The same answer for everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.conversion import to_array
from tritonkit.client.layers.coalesce.joining import joinable_rows
from tritonkit.client.layers.rows import count_rows
from tritonkit.client.layers.tiers.last_resort import LastResort
from tritonkit.client.layers.tiers.signatures import RouteSignatures
from tritonkit.client.route import Route
from tritonkit.client.signature import Signature, TensorSpec
from tritonkit.client.trace import Trace
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import ConfigError, InvalidInput, NotKept

__all__ = ["CONSTANT", "Constant"]

CONSTANT = "constant"
"""Its name in traces, as a route and as a reason."""


class Constant(LastResort):
    """
    An answer that needs no server: the same for every row.

    Its types and shapes are those of the first route's model, which is asked for
    them after its first answer; a constant that does not fit is an error then,
    not in the outage that it is meant for.

    Raises NotKept where an output is wanted that it has no value for.

    Args:
        outputs: The value of one row by output name. A scalar fills the shape of
            a row, where the model states one.

    Raises:
        ConfigError: If there is no output, or a value is no array.
    """

    def __init__(self, outputs: Mapping[str, Any]) -> None:
        if not outputs:
            raise ConfigError("Constant needs a value for each output, but got {}.")
        self.outputs = {name: _untyped(name, value) for name, value in outputs.items()}
        # Numbers as Python and TOML have them, which take the type of the output.
        self._plain = {name for name, value in outputs.items() if not hasattr(value, "dtype")}
        self._signatures: RouteSignatures | None = None
        # Of models whose signature is not known: how many answers they gave.
        self._answers: dict[tuple[str, str], int] = {}
        self._learnt: set[tuple[str, str]] = set()

    def __repr__(self) -> str:
        return f"Constant({', '.join(self.outputs)})"

    def attach(self, signatures: RouteSignatures) -> None:
        """Learn whom to ask."""
        self._signatures = signatures

    async def learn(
        self, request: InferRequest, routes: Sequence[Route], response: InferResponse
    ) -> None:
        """
        Look once whether the values fit the model; if not, look again with each answer.

        Where the server did not tell in time, it is asked after twice as many answers.
        """
        model = (routes[0].model or request.model, routes[0].version or request.version)
        if self._signatures is None or model in self._learnt:
            return
        answers = self._answers.get(model, 0) + 1
        self._answers[model] = answers
        if answers & (answers - 1):
            return
        # From here on, so that no more than one answer waits for it.
        self._learnt.add(model)
        fits = False
        try:
            signature = await self._signatures.read(routes[0], request)
            if signature is not None:
                self._answers.pop(model, None)
                self._check(request, signature)
                fits = True
        finally:
            if not fits:
                self._learnt.discard(model)

    async def __call__(
        self, request: InferRequest, routes: Sequence[Route], inner: Service, cause: str
    ) -> InferResponse:
        """The values, once for each row."""
        names = request.outputs or tuple(self.outputs)
        for name in names:
            if name not in self.outputs:
                raise NotKept(f"Constant has no output {name!r}", model=request.model)
        signature = self._signatures and self._signatures.known(routes[0], request)
        rows: int | None = count_rows(request)
        if signature:
            rows = joinable_rows(request, signature) if signature.max_batch_size else None
        outputs = {}
        for name in names:
            row = self.outputs[name]
            if signature and name in signature.outputs:
                row = self._row(name, signature)
            outputs[name] = row if rows is None else np.broadcast_to(row, (rows, *row.shape))
        return InferResponse(
            model=request.model,
            outputs=outputs,
            id=request.id,
            trace=Trace(tiers=(CONSTANT,), degraded=f"{CONSTANT}: {cause}"),
        )

    def _check(self, request: InferRequest, signature: Signature) -> None:
        for name in request.outputs or signature.outputs:
            if name not in self.outputs:
                raise ConfigError(
                    f"Constant has no value for output {name!r} of model {signature.model!r}, "
                    f"but for {sorted(self.outputs)}."
                )
        for name in self.outputs:
            if name in signature.outputs:
                self._row(name, signature)

    def _row(self, name: str, signature: Signature) -> NDArray[Any]:
        value, spec = self.outputs[name], signature.outputs[name]
        return _row(value, spec, signature.model, plain=not value.ndim or name in self._plain)


def _row(value: NDArray[Any], spec: TensorSpec, model: str, *, plain: bool) -> NDArray[Any]:
    """The value as one row of an output."""
    shape = spec.shape[1:] if spec.batched else spec.shape
    # What a server sends as BF16 comes as float32.
    datatype = "FP32" if spec.datatype == "BF16" else spec.datatype
    given = value.tolist() if plain and value.dtype != np.object_ else value
    try:
        row = to_array(given, datatype, [-1] * value.ndim, batched=False)
        # Dimensions of any size have that of the value.
        filled = (1,) * (len(shape) - row.ndim) + row.shape
        full = [
            own if size == -1 else size
            for size, own in zip(shape, filled[-len(shape) :] if shape else (), strict=True)
        ]
        return np.broadcast_to(row.reshape(filled), full)
    except (InvalidInput, ValueError) as error:
        raise ConfigError(
            f"Constant does not fit output {spec.name!r} of model {model!r}: {error}"
        ) from error


def _untyped(name: str, value: Any) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ConfigError(f"Constant needs an array for {name!r}: {error}") from error
    if array.dtype.kind not in "SUTO":
        return array
    try:
        texts = to_array(value, "BYTES", [-1] * array.ndim, batched=False)
    except InvalidInput as error:
        raise ConfigError(f"Constant needs an array for {name!r}: it {error}") from error
    # As a server's texts come.
    encoded = np.empty(texts.shape, np.object_)
    encoded.ravel()[:] = [
        text if isinstance(text, bytes) else str(text).encode() for text in texts.ravel()
    ]
    return encoded
