"""Whether a model's answer to a row depends on the other rows of its batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from time import monotonic
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.identity.identities import Identities
from tritonkit.client.keys import row_keys
from tritonkit.client.probing.difference import Difference, difference
from tritonkit.client.stack import Transport
from tritonkit.client.types import InferRequest, Parameter, Tensors
from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration

__all__ = ["LARGEST_BATCH", "TOLERANCE", "RowIndependence", "Verdict", "probe_row_independence"]

TOLERANCE = 1e-5
"""
Above what the order of float32 additions changes, which depends on the batch in every
matrix library (1e-7 in MiniLM), and far below what a model that mixes rows does.
"""

LARGEST_BATCH = 128
"""Rows of the largest batch that is tried, where the model takes more."""

_FEW = 8

Verdict = Literal["independent", "dependent", "not deterministic", "cannot be asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowIndependence:
    """
    What a probe found.

    Args:
        model: Name of the model.
        version: The version that answered.
        tolerance: What a difference was held against: it is accepted up to
            tolerance * (1 + the row's largest value), labels and text only if equal.
        rows: Different rows that were tried.
        batches: Sizes of the batches in which they were.
        requests: Inference requests that were sent.
        outputs: The largest differences between a row in company and the same row
            alone, by output.
        repeats: The largest error between answers to one and the same request.
        stated: What the model's configuration says of it; None where it says nothing.
        reason: Why the question has no answer; empty where it has.
        warnings: What makes the answer weaker.
    """

    model: str
    version: str = ""
    tolerance: float = TOLERANCE
    rows: int = 0
    batches: tuple[int, ...] = ()
    requests: int = 0
    outputs: Mapping[str, Difference] = field(default_factory=dict)
    repeats: float = 0.0
    stated: bool | None = None
    reason: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The finding in a word or three."""
        if self.reason:
            return "cannot be asked"
        if self.repeats > self.tolerance:
            return "not deterministic"
        if any(output.error > self.tolerance for output in self.outputs.values()):
            return "dependent"
        return "independent"

    @property
    def independent(self) -> bool:
        """Whether rows may be kept one by one."""
        return self.verdict == "independent"

    @property
    def exact(self) -> bool:
        """Whether every row got the same answer to the last bit, whatever its company."""
        return self.independent and not any(found.differing for found in self.outputs.values())


async def probe_row_independence(
    client: AsyncClient,
    model: str,
    inputs: Mapping[str, Any],
    *,
    outputs: Sequence[str] | None = None,
    version: str = "",
    parameters: Mapping[str, Parameter] | None = None,
    tolerance: float = TOLERANCE,
    rounds: int = 2,
    seed: int = 0,
    timeout: str | float | timedelta | None = None,
) -> RowIndependence:
    """
    Compare each row's answer in a batch with its answer alone.

    The same requests are sent twice first: a model that answers them differently
    is not deterministic. Then the rows go in order, reversed, doubled, and shuffled
    into batches of several sizes, up to the model's max_batch_size. Requests are
    sent one after another, past the client's layers: a cache would answer for the
    model. The server's dynamic batcher may still join them with other callers'.

    Args:
        client: Whose server is asked.
        model: Name of the model.
        inputs: Two different rows or more, as `infer` takes them, though of any
            number. The more they differ, as in the length of texts, the more this proves.
        outputs: Names of the outputs to compare; None compares all.
        version: Model version; empty lets the server choose.
        parameters: Request parameters.
        tolerance: Of floats; see `RowIndependence`.
        rounds: How often all rows are shuffled into batches of each size.
        seed: Of the shuffles.
        timeout: "60s", seconds or a timedelta, for everything.

    Raises:
        InvalidInput: If the inputs do not fit the model.
        RequestError: If a request got no answer.
        ConfigError: If the tolerance or the rounds are wrong.
    """
    if not 0 <= tolerance < 1:
        raise ConfigError(f"tolerance must be 0 to 1, but got {tolerance=}.")
    if rounds < 1:
        raise ConfigError(f"rounds must be 1 or more, but got {rounds=}.")
    deadline = None if timeout is None else monotonic() + parse_duration(timeout, name="timeout")
    identity = await Identities(client.transport).read(model, version, deadline)
    signature = identity.signature
    wanted = tuple(outputs) if outputs else None
    if wanted:
        signature.check_outputs(wanted)
    found = RowIndependence(
        model=model,
        version=identity.version,
        tolerance=tolerance,
        stated=identity.batch_invariant,
    )
    if identity.stateful:
        return replace(found, reason=identity.stateful)
    if signature.max_batch_size < 2:
        return replace(
            found,
            reason=f"model {model!r} takes no batches (max_batch_size: {signature.max_batch_size})",
        )
    if whole := [spec.name for spec in signature.inputs.values() if not spec.batched]:
        return replace(found, reason=f"input {whole[0]!r} of model {model!r} has no rows")
    for name in wanted or signature.outputs:
        if -1 in (shape := signature.outputs[name].shape[1:]):
            reason = f"output {name!r} has rows of different shapes {list(shape)}"
            return replace(found, reason=reason)
    request = InferRequest(
        model=model,
        # All rows at once here, in batches later.
        inputs=replace(signature, max_batch_size=2**31).arrays(inputs),
        version=version,
        outputs=wanted,
        parameters=parameters or {},
        deadline=deadline,
    )
    # A row that is there twice is no company of its own.
    keys = row_keys(request, identity=b"")
    distinct = {key: row for row, key in reversed([*enumerate(keys)])}
    rows = sorted(distinct.values())
    if len(rows) < 2:
        return replace(found, rows=len(rows), reason="it takes two different rows or more")
    config = await client.transport.config(model, version, deadline=deadline)
    probe = _Probe(client.transport, request, rows)
    try:
        await probe.compare(min(signature.max_batch_size, LARGEST_BATCH), rounds, seed, tolerance)
    except _NoRows as error:
        return replace(found, rows=len(rows), requests=probe.requests, reason=str(error))
    warnings = []
    if len(rows) < _FEW:
        warnings.append(f"{len(rows)} different rows are few; more of them prove more")
    if (config.get("response_cache") or {}).get("enable"):
        warnings.append("the server's response cache is on for this model and may have answered")
    if 0 < probe.repeats <= tolerance:
        warnings.append(f"the same request is answered differently, by {probe.repeats:.2g}")
    return replace(
        found,
        rows=len(rows),
        batches=tuple(sorted(probe.batches)),
        requests=probe.requests,
        outputs=probe.found,
        repeats=probe.repeats,
        warnings=tuple(warnings),
    )


class _NoRows(Exception):
    """An output cannot be told apart by rows."""


class _Probe:
    """The requests of one probe, and what they showed so far."""

    def __init__(self, transport: Transport, request: InferRequest, rows: Sequence[int]) -> None:
        self._transport = transport
        self._request = request
        self._rows = rows
        self.found: dict[str, Difference] = {}
        self.repeats = 0.0
        self.requests = 0
        self.batches: set[int] = set()

    async def compare(self, largest: int, rounds: int, seed: int, tolerance: float) -> None:
        alone = {row: await self._ask((row,)) for row in self._rows}
        first = tuple(self._rows[:largest])
        self._repeated(first, await self._ask(first), await self._ask(first))
        for row in self._rows:
            self._repeated((row,), alone[row], await self._ask((row,)))
        if self.repeats > tolerance:
            return
        for company in _companies(self._rows, largest, rounds, np.random.default_rng(seed)):
            answer = await self._ask(company)
            for place, row in enumerate(company):
                for name, array in answer.items():
                    here, there = array[place : place + 1], alone[row][name]
                    if here.shape != there.shape:
                        raise _NoRows(
                            f"output {name!r} of a row has shape {list(there.shape[1:])} alone and "
                            f"{list(here.shape[1:])} in a batch of {len(company)}"
                        )
                    one = difference(there, here, row=row, company=company)
                    self.found[name] = self.found[name] | one if name in self.found else one

    def _repeated(self, company: tuple[int, ...], one: Tensors, other: Tensors) -> None:
        for name, array in one.items():
            same_shape = array.shape == other[name].shape
            seen = difference(array, other[name], row=0, company=company) if same_shape else None
            self.repeats = max(self.repeats, seen.error if seen else float("inf"))

    async def _ask(self, rows: tuple[int, ...]) -> Mapping[str, NDArray[Any]]:
        index = np.array(rows)
        inputs = {name: array[index] for name, array in self._request.inputs.items()}
        response = await self._transport(replace(self._request, inputs=inputs))
        self.requests += 1
        self.batches.add(len(rows))
        for name, array in response.items():
            if array.shape[:1] != (len(rows),):
                raise _NoRows(
                    f"output {name!r} has shape {list(array.shape)} for {len(rows)} rows: "
                    "its first dimension is not the rows"
                )
        return response


def _companies(
    rows: Sequence[int], largest: int, rounds: int, rng: np.random.Generator
) -> Iterator[tuple[int, ...]]:
    """Batches that hold every row: in order, reversed, doubled, then in shuffles of each size."""
    count = len(rows)
    yield from _batches(rows, min(count, largest))
    yield from _batches(rows[::-1], min(count, largest))
    yield from _batches([row for row in rows for _ in range(2)], min(2 * count, largest))
    sizes = {largest, min(count, largest), min(2 * count, largest)}
    sizes |= {2**power for power in range(1, 32) if 2**power < largest}
    for size in sorted(sizes):
        for _ in range(rounds):
            yield from _batches(rng.permutation(rows).tolist(), size)


def _batches(rows: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    """All rows in batches of one size; the last is filled from the start again."""
    full = np.resize(np.array(rows), -(-len(rows) // size) * size)
    for batch in full.reshape(-1, size):
        yield tuple(batch.tolist())
