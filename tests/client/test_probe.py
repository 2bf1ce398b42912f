"""Models that mix rows are found out; those that do not are believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.client import (
    AsyncClient,
    InferRequest,
    InferResponse,
    Layer,
    RowIndependence,
    Service,
    probe_row_independence,
)
from tritonkit.client.probing.probe import LARGEST_BATCH
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import ConfigError, DeadlineExceeded, InvalidInput

if TYPE_CHECKING:
    from conftest import Triton

Array = NDArray[Any]

ROWS = np.linspace(-1, 1, 40, dtype=np.float32).reshape(10, 4)


def model(function: Callable[[Array], Array], **settings: Any) -> AsyncClient:
    def handler(request: InferRequest) -> dict[str, Array]:
        return {"y": function(request.inputs["x"])}

    settings = {"inputs": {"x": [4]}, "outputs": {"y": [4]}} | settings
    return AsyncClient(FakeTransport(handler, **settings))


async def probe(client: AsyncClient, rows: Any = ROWS, **options: Any) -> RowIndependence:
    async with client:
        return await probe_row_independence(client, "m", {"x": rows}, **options)


async def test_rows_by_themselves() -> None:
    client = model(lambda x: x * 2)
    found = await probe(client)
    assert found.verdict == "independent"
    assert found.exact
    assert (found.model, found.version, found.rows, found.warnings) == ("m", "1", 10, ())
    assert found.batches == (1, 2, 4, 8, 10, 16, 20, 32, 64)
    assert found.requests == len(client.transport.requests)
    assert found.outputs["y"].rows > 100


async def test_noise_of_rounding_is_accepted_and_told() -> None:
    found = await probe(model(lambda x: x + np.float32(1e-6) * len(x) / 64))
    assert found.independent
    assert not found.exact
    assert 0 < found.outputs["y"].error < 1e-5


MIXING: dict[str, Callable[[Array], Array]] = {
    "normalises over the batch": lambda x: x - x.mean(axis=0),
    "depends on the place": lambda x: x + np.arange(len(x), dtype=np.float32)[:, None],
    "depends on the size": lambda x: x + (len(x) > 40),
    "looks at its neighbour": lambda x: x + np.roll(x, 1, axis=0) * 1e-3,
    "one scale for all": lambda x: np.round(x / np.abs(x).max() * 127),
    "answers a row that is there twice once": lambda x: (
        np.where(
            np.arange(len(x))[:, None] == np.unique(x, axis=0, return_index=True)[1].max(), 0, x
        )
        if len(np.unique(x, axis=0)) < len(x)
        else x
    ),
}


@pytest.mark.parametrize("function", MIXING.values(), ids=MIXING)
async def test_mixing_is_found(function: Callable[[Array], Array]) -> None:
    found = await probe(model(lambda x: function(x).astype(np.float32)))
    assert found.verdict == "dependent"
    worst = found.outputs["y"]
    assert worst.row in worst.company
    assert len(worst.company) > 1


async def test_labels_and_text_only_if_equal() -> None:
    def label(x: Array) -> Array:
        return np.array([[b"odd" if len(x) > 3 else b"even"]] * len(x), dtype=np.object_)

    found = await probe(model(label, datatypes={"y": "BYTES"}))
    assert found.verdict == "dependent"
    assert found.outputs["y"].absolute is None
    found = await probe(
        model(lambda x: np.array([[len(x) > 3]] * len(x), dtype=np.int32), datatypes={"y": "INT32"})
    )
    assert found.verdict == "dependent"


async def test_a_random_model_is_not_deterministic() -> None:
    rng = np.random.default_rng(0)
    found = await probe(model(lambda x: x + rng.random(x.shape, dtype=np.float32)))
    assert found.verdict == "not deterministic"
    assert not found.independent
    assert found.repeats > 0.1


async def test_small_randomness_is_a_warning() -> None:
    rng = np.random.default_rng(0)
    found = await probe(
        model(lambda x: x + 1e-6 * rng.random(x.shape, dtype=np.float32)), tolerance=1e-4
    )
    assert found.independent
    assert "answered differently" in found.warnings[0]


@pytest.mark.parametrize(
    ("client", "rows", "reason"),
    [
        (model(lambda x: x, max_batch_size=0), ROWS, "takes no batches"),
        (model(lambda x: x, max_batch_size=1), ROWS, "takes no batches"),
        (model(lambda x: x), ROWS[:1], "two different rows"),
        (model(lambda x: x), np.ones((9, 4), dtype=np.float32), "two different rows"),
        (model(lambda x: x.mean(axis=0, keepdims=True)), ROWS, "first dimension is not the rows"),
        (model(lambda x: x, outputs={"y": [-1]}), ROWS, "rows of different shapes [-1]"),
        (model(lambda x: np.tile(x, len(x))), ROWS, "shape [4] alone and [40] in a batch of 10"),
        (model(lambda x: x, config={"sequence_batching": {"a": 1}}), ROWS, "keeps a state"),
        (
            model(lambda x: x, config={"model_transaction_policy": {"decoupled": True}}),
            ROWS,
            "decoupled",
        ),
        (
            model(
                lambda x: x,
                inputs={"x": [4], "n": [1]},
                config={"input": [{"name": "n", "is_shape_tensor": True}]},
            ),
            ROWS,
            "input 'n' of model 'm' has no rows",
        ),
    ],
)
async def test_what_cannot_be_asked(client: AsyncClient, rows: Array, reason: str) -> None:
    found = await probe(client, rows[0] if client.transport._max_batch_size == 0 else rows)
    assert found.verdict == "cannot be asked"
    assert reason in found.reason
    assert not found.independent


async def test_few_rows_and_a_cache_of_the_server_are_warned_of() -> None:
    found = await probe(model(lambda x: x, config={"response_cache": {"enable": True}}), ROWS[:3])
    assert found.independent
    assert "3 different rows are few" in found.warnings[0]
    assert "response cache" in found.warnings[1]


async def test_more_rows_than_the_model_takes_at_once() -> None:
    client = model(lambda x: x, max_batch_size=4)
    found = await probe(client, np.concatenate([ROWS, ROWS]))
    assert found.independent
    assert found.rows == 10
    assert found.batches == (1, 2, 4)


async def test_large_batches_have_an_end() -> None:
    found = await probe(model(lambda x: x, max_batch_size=4096))
    assert max(found.batches) == LARGEST_BATCH


async def test_the_same_seed_the_same_batches() -> None:
    def sent(client: AsyncClient) -> list[bytes]:
        return [request.inputs["x"].tobytes() for request in client.transport.requests]

    clients = [model(lambda x: x) for _ in range(3)]
    for client, seed in zip(clients, (1, 1, 2), strict=True):
        await probe(client, seed=seed)
    assert sent(clients[0]) == sent(clients[1]) != sent(clients[2])


async def test_layers_do_not_answer_for_the_model() -> None:
    class Lies(Layer):
        async def __call__(self, request: InferRequest, inner: Service) -> InferResponse:
            raise AssertionError

    client = AsyncClient(model(lambda x: x - x.mean(axis=0)).transport, [Lies()])
    assert (await probe(client)).verdict == "dependent"


async def test_mistakes_are_told_before_anything_is_sent() -> None:
    client = model(lambda x: x)
    for options in ({"tolerance": -1}, {"tolerance": np.nan}, {"rounds": 0}):
        with pytest.raises(ConfigError):
            await probe(client, **options)
    with pytest.raises(InvalidInput, match="has no output 'z'"):
        await probe(model(lambda x: x), outputs=["z"])
    with pytest.raises(InvalidInput, match="must have shape"):
        await probe(model(lambda x: x), np.ones((2, 3), dtype=np.float32))
    assert client.transport.requests == []


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("doubles", "independent"),
        ("normalises", "dependent"),
        ("counts", "dependent"),
        ("rolls", "not deterministic"),
    ],
)
async def test_models_of_a_real_server(mixers: Triton, name: str, verdict: str) -> None:
    for url in (mixers.http, mixers.grpc):
        async with AsyncClient(url) as client:
            found = await probe_row_independence(client, name, {"x": ROWS}, rounds=1)
        assert found.verdict == verdict


async def test_a_deadline_ends_it(mixers: Triton) -> None:
    async with AsyncClient(mixers.http) as client:
        with pytest.raises(DeadlineExceeded):
            await probe_row_independence(client, "doubles", {"x": ROWS}, timeout="1ms")
