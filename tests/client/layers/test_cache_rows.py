"""Rows: found, computed and put together, each where it belongs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client import Cache, InferRequest, InferResponse, Memory, Stack, Store
from tritonkit.errors import ConfigError, InvalidInput

if TYPE_CHECKING:
    from conftest import Kit, Model, SharedStore

ROWS = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=16)


@settings(max_examples=60, deadline=None)
@given(known=st.lists(ROWS, max_size=3), rows=ROWS, reloaded=st.booleans())
def test_any_mask_and_any_repeats(
    kit: type[Kit], known: list[list[float]], rows: list[float], reloaded: bool
) -> None:
    """The answer is what the model gives, in order; the model sees each missing row once."""

    async def main() -> None:
        model = kit.Model(factor=3.0)
        stack = model.stack()
        for batch in known:
            await kit.ask(stack, batch)
        if reloaded:
            model.reload(5.0, "B")
            model.clock.advance(1.0)
        model.transport.requests.clear()

        answer = await kit.ask(stack, rows, id="7")

        had = set() if reloaded else {row for batch in known for row in batch}
        missing = list(dict.fromkeys(row for row in rows if row not in had))
        assert model.sent == ([missing] if missing else [])
        assert answer["y"].tolist() == [[model.factor * row] for row in rows]
        assert (answer.model, answer.version, answer.id) == ("m", "1", "7")
        first: set[float] = set()
        expected = []
        for row in rows:
            expected.append("memory" if row in had else "coalesced" if row in first else "model")
            first.add(row)
        assert answer.trace.origins == tuple(expected)
        assert answer.trace.ages == (0.0,) * len(rows)

    asyncio.run(main())


@settings(max_examples=40, deadline=None)
@given(memory=ROWS, shared=ROWS, rows=ROWS)
def test_rows_from_two_stores_and_the_model(
    kit: type[Kit], memory: list[float], shared: list[float], rows: list[float]
) -> None:
    async def main() -> None:
        model = kit.Model(factor=3.0)
        store = kit.SharedStore(model.clock)
        other = model.stack(store)
        mine = Stack(model.transport, [model.cache(kit_memory(model), store)])
        await kit.ask(other, shared)
        await other.aclose()
        await kit.ask(mine, memory)
        model.transport.requests.clear()

        answer = await kit.ask(mine, rows)

        missing = list(dict.fromkeys(r for r in rows if r not in {*memory, *shared}))
        assert model.sent == ([missing] if missing else [])
        assert answer["y"].tolist() == [[3.0 * row] for row in rows]
        await mine.aclose()

    asyncio.run(main())


def kit_memory(model: Model) -> Store:
    from tritonkit.client import Memory

    return Memory("1MB", clock=model.clock)


async def test_all_found_is_no_call(kit: type[Kit], model: Model) -> None:
    """Not even a question."""
    stack = model.stack()
    await kit.ask(stack, [1, 2, 3])
    questions = model.transport.questions
    assert (await kit.ask(stack, [3, 1, 1])).trace.origins == ("memory",) * 3
    assert len(model.transport.requests) == 1
    assert model.transport.questions == questions


async def test_two_inputs_make_a_row_together(kit: type[Kit]) -> None:
    def add(request: InferRequest) -> dict[str, Any]:
        return {"y": request.inputs["a"] * 10 + request.inputs["b"]}

    transport = kit.Transport(
        add, inputs={"a": (1,), "b": (1,)}, outputs={"y": (1,)}, max_batch_size=8
    )
    stack = Stack(transport, [Cache(rows=["m"])])

    async def infer(a: list[float], b: list[float]) -> list[float]:
        inputs = {
            name: np.array(values, dtype=np.float32).reshape(-1, 1)
            for name, values in (("a", a), ("b", b))
        }
        answer = await stack(InferRequest(model="m", inputs=inputs))
        return answer["y"].ravel().tolist()

    assert await infer([1, 2], [3, 4]) == [13, 24]
    assert await infer([1, 2, 1], [4, 3, 3]) == [14, 23, 13]
    assert [len(request.inputs["a"]) for request in transport.requests] == [2, 2]


@pytest.mark.parametrize("datatype", ["BYTES", "FP64", "BOOL", "INT8"])
async def test_any_type_of_row(kit: type[Kit], datatype: str) -> None:
    values = {
        "BYTES": np.array(["a", "", "bc", "a"], dtype=object),
        "FP64": np.array([0.0, -0.0, np.nan, 1e300]),
        "BOOL": np.array([True, False, True, True]),
        "INT8": np.array([-1, 0, 127, -128], dtype=np.int8),
    }[datatype].reshape(4, 1)
    transport = kit.Transport(
        lambda request: {"y": request.inputs["x"]},
        inputs={"x": (1,)},
        outputs={"y": (1,)},
        datatypes={"x": datatype, "y": datatype},
    )
    stack = Stack(transport, [Cache(rows=["m"])])
    for _ in range(2):
        answer = await stack(InferRequest(model="m", inputs={"x": values}))
        assert answer["y"].dtype == values.dtype
        assert list(map(repr, answer["y"].ravel())) == list(map(repr, values.ravel()))
    assert len(transport.requests) == 1


async def test_more_rows_than_fit_never_arrive(kit: type[Kit]) -> None:
    """The client refuses them; the cache sends at most what it was given."""
    from tritonkit.client import AsyncClient

    model = kit.Model(max_batch_size=4)
    async with AsyncClient(model.transport, [model.cache()]) as client:
        with pytest.raises(InvalidInput, match="1 to 4 rows"):
            await client.infer("m", {"x": np.zeros((5, 1), dtype=np.float32)})
        await client.infer("m", {"x": np.arange(4, dtype=np.float32).reshape(4, 1)})
    assert max(map(len, model.sent)) == 4


async def test_no_rows_go_by(kit: type[Kit], model: Model) -> None:
    stack = model.stack()
    for _ in range(2):
        assert (await kit.ask(stack, []))["y"].shape == (0, 1)
    assert model.sent == [[], []]


async def test_a_model_that_does_not_batch_is_kept_whole(kit: type[Kit]) -> None:
    model = kit.Model(max_batch_size=0)
    stack = model.stack()
    for rows in ([1.0, 2.0], [2.0, 1.0], [1.0, 2.0]):
        answer = await kit.ask(stack, rows)
        assert answer["y"].ravel().tolist() == rows
        assert len(answer.trace.origins) == 1
    assert model.sent == [[1.0, 2.0], [2.0, 1.0]]


async def test_no_input_is_a_request_too(kit: type[Kit]) -> None:
    """A model may have defaults for all that it takes."""
    transport = kit.Transport(
        lambda request: {"y": np.ones((1, 1), dtype=np.float32)},
        inputs={},
        outputs={"y": (1,)},
    )
    stack = Stack(transport, [Cache(rows=["m"])])
    for _ in range(2):
        assert (await stack(InferRequest(model="m", inputs={})))["y"].tolist() == [[1.0]]


async def test_an_empty_list_of_outputs_wants_what_it_does_without_a_cache(
    kit: type[Kit], model: Model
) -> None:
    """KServe has no request for nothing: all outputs come."""
    model.transport.handler = lambda request: InferResponse(
        model="m", version="1", outputs={"y": request.inputs["x"]}
    )
    stack = model.stack()
    for _ in range(2):
        assert (await kit.ask(stack, [1], outputs=()))["y"].tolist() == [[1.0]]


async def test_outputs_in_the_order_of_the_server(kit: type[Kit]) -> None:
    """Kept or not: Triton sorts the names that are wanted, so no model sees their order."""
    transport = kit.Transport(
        lambda request: {"a": request.inputs["x"] + 1, "b": request.inputs["x"] + 2},
        inputs={"x": (1,)},
        outputs={"a": (1,), "b": (1,)},
    )
    stack = Stack(transport, [Cache(rows=["m"])])
    assert list(await kit.ask(stack, [1, 2], outputs=("a", "b"))) == ["a", "b"]
    again = await kit.ask(stack, [2, 1], outputs=("b", "a"))
    assert list(again) == ["a", "b"]
    assert again["b"].tolist() == [[4.0], [3.0]]
    assert len(transport.requests) == 1
    only = await kit.ask(stack, [1], outputs=("b",))
    assert {name: array.tolist() for name, array in only.items()} == {"b": [[3.0]]}


@pytest.mark.parametrize("rows", [[1.0], [1.0, 2.0]])
@pytest.mark.parametrize("invariant", [True, False])
async def test_an_answer_cannot_be_changed(
    kit: type[Kit], rows: list[float], invariant: bool
) -> None:
    """Nor the cache by it, nor by the array that the model gave."""
    model = kit.Model(invariant=invariant)
    given = np.array(rows, dtype=np.float32).reshape(-1, 1)
    model.transport.handler = lambda request: {"y": given}
    stack = model.stack()
    for _ in range(3):
        answer = await kit.ask(stack, rows)
        assert answer["y"].ravel().tolist() == rows
        with pytest.raises(ValueError, match="read-only"):
            answer["y"][0, 0] = 99
        given[:] = 77


async def test_changing_the_input_afterwards_changes_no_answer(
    kit: type[Kit], model: Model
) -> None:
    stack = model.stack()
    x = np.ones((2, 1), dtype=np.float32)
    request = InferRequest(model="m", inputs={"x": x})
    await stack(request)
    x[:] = 5
    assert (await kit.ask(stack, [1]))["y"].tolist() == [[1.0]]
    assert (await stack(request))["y"].tolist() == [[5.0], [5.0]]


async def test_changing_the_input_after_a_stale_answer(kit: type[Kit], model: Model) -> None:
    """The refresh goes on when the caller's buffer is the caller's again."""
    stack = model.stack(ttl=10, stale=100)
    x = np.ones((1, 1), dtype=np.float32)
    await stack(InferRequest(model="m", inputs={"x": x}))
    model.clock.advance(11)
    assert (await stack(InferRequest(model="m", inputs={"x": x}))).trace.origins == ("stale",)
    x[:] = 5
    await kit.settle()
    assert model.sent == [[1.0], [1.0]]
    assert (await kit.ask(stack, [1]))["y"].tolist() == [[1.0]]


async def test_changing_the_input_of_a_call_that_was_given_up(kit: type[Kit], model: Model) -> None:
    """Others wait for the same row, which has to stay what it was."""
    sent = []

    async def late(request: InferRequest) -> dict[str, Any]:
        # A transport that waits for a connection reads the arrays after it.
        await gate.wait()
        sent.append(request.inputs["x"].ravel().tolist())
        return {"y": request.inputs["x"] * 1}

    gate = asyncio.Event()
    model.transport.handler = late
    stack = model.stack()
    x = np.ones((1, 1), dtype=np.float32)
    first = asyncio.ensure_future(stack(InferRequest(model="m", inputs={"x": x})))
    await kit.settle()
    second = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    first.cancel()
    await kit.settle()
    x[:] = 5
    gate.set()
    assert (await second)["y"].tolist() == [[1.0]]
    assert sent == [[1.0]]
    assert (await kit.ask(stack, [1]))["y"].tolist() == [[1.0]]


async def test_a_model_of_which_nothing_is_known_is_kept_whole(kit: type[Kit]) -> None:
    """Its answer for a row depends on the others: no row is served by itself."""
    model = kit.Model(invariant=False)
    model.transport.handler = lambda request: {
        "y": request.inputs["x"] - request.inputs["x"].mean()
    }
    stack = model.stack()
    for rows in ([1.0, 3.0], [1.0, 5.0], [1.0], [3.0, 1.0], [1.0, 3.0]):
        expected = np.array(rows) - np.mean(rows)
        assert (await kit.ask(stack, rows))["y"].ravel().tolist() == expected.tolist()
    assert model.sent == [[1.0, 3.0], [1.0, 5.0], [1.0], [3.0, 1.0]]


async def test_an_answer_that_is_not_one_of_rows(kit: type[Kit], model: Model) -> None:
    """Whatever was declared: it is kept whole from there on."""
    model.transport.handler = lambda request: {"y": request.inputs["x"].sum(0, keepdims=True)}
    stack = model.stack(rows=["m"])
    waiting = await asyncio.gather(*(kit.ask(stack, rows) for rows in ([1, 2], [2, 3], [1, 2])))
    assert [answer["y"].tolist() for answer in waiting] == [[[3.0]], [[5.0]], [[3.0]]]
    model.transport.requests.clear()
    for rows in ([1, 2], [2, 1], [2, 3], [4, 5], [4, 5]):
        assert (await kit.ask(stack, rows))["y"].tolist() == [[sum(rows)]]
    assert model.sent == [[2.0, 1.0], [4.0, 5.0]]


async def test_rows_of_different_shapes_are_kept_whole(kit: type[Kit]) -> None:
    def pad(request: InferRequest) -> dict[str, Any]:
        x = request.inputs["x"]
        return {"y": np.repeat(x, int(x.max()), axis=1)}

    model = kit.Model(outputs={"y": (-1,)})
    model.transport.handler = pad
    stack = model.stack()
    for rows, shape in (([1, 2], (2, 2)), ([1, 3], (2, 3)), ([1], (1, 1)), ([1, 2], (2, 2))):
        assert (await kit.ask(stack, rows))["y"].shape == shape


async def test_a_shape_tensor_is_no_row(kit: type[Kit]) -> None:
    """An optional input that says something of the whole batch, left out at first."""

    def handler(request: InferRequest) -> dict[str, Any]:
        add = request.inputs["s"].sum() if "s" in request.inputs else 0
        return {"y": request.inputs["x"] + np.float32(add)}

    model = kit.Model(inputs={"x": (1,), "s": (2,)})
    model.transport.model_config["input"] = [
        {"name": "s", "is_shape_tensor": True, "optional": True}
    ]
    model.transport.handler = handler
    stack = model.stack()
    assert (await kit.ask(stack, [1, 2]))["y"].ravel().tolist() == [1.0, 2.0]
    for s in ([1, 2], [1, 3]):
        inputs = {
            "x": np.array([[1], [2]], dtype=np.float32),
            "s": np.array(s, dtype=np.float32),
        }
        answer = await stack(InferRequest(model="m", inputs=inputs))
        assert answer["y"].ravel().tolist() == [1.0 + sum(s), 2.0 + sum(s)]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"sequence_batching": {"max_sequence_idle_microseconds": 1}}, "sequence_batching"),
        ({"model_transaction_policy": {"decoupled": True}}, "decoupled"),
    ],
)
async def test_a_model_with_a_state_is_not_kept(
    kit: type[Kit], config: dict[str, Any], reason: str
) -> None:
    """Whoever names it is told why."""
    model = kit.Model()
    model.transport.model_config.update(config)
    stack = model.stack()
    for _ in range(2):
        assert (await kit.ask(stack, [1])).trace.origins == ()
    assert len(model.sent) == 2
    for options in ({"rows": ["m"]}, {"models": ["m"]}):
        with pytest.raises(ConfigError, match=reason):
            await kit.ask(model.stack(**options), [1])


async def test_an_ensemble_with_a_stateful_step_is_not_kept(kit: type[Kit]) -> None:
    class Ensemble(kit.Transport):  # type: ignore[name-defined,misc]
        async def config(self, model: str, version: str = "", **options: Any) -> dict[str, Any]:
            config: dict[str, Any] = await super().config(model, version, **options)
            if model == "m":
                config["ensemble_scheduling"] = {"step": [{"model_name": "s"}]}
            else:
                config["sequence_batching"] = {"oldest": {}}
            return config

    transport = Ensemble(
        lambda request: {"y": request.inputs["x"]}, inputs={"x": (1,)}, outputs={"y": (1,)}
    )
    stack = Stack(transport, [Cache()])
    for _ in range(2):
        await kit.ask(stack, [1])
    assert len(transport.requests) == 2


@pytest.mark.parametrize("name", ["sequence_id", "sequence_start", "sequence_end"])
async def test_a_request_of_a_sequence_goes_by(kit: type[Kit], model: Model, name: str) -> None:
    stack = model.stack()
    for _ in range(2):
        await kit.ask(stack, [1], parameters={name: 1})
    assert len(model.sent) == 2


async def test_only_the_models_that_are_named(kit: type[Kit], model: Model) -> None:
    stack = model.stack(models=["other"])
    for _ in range(2):
        await kit.ask(stack, [1])
    assert len(model.sent) == 2


@pytest.mark.parametrize("store", ["64MB", Memory])
def test_what_is_no_store(store: Any) -> None:
    with pytest.raises(ConfigError, match=r'stores must be such as Memory\("64MB"\)'):
        Cache(store)


def test_a_name_is_no_list_of_names() -> None:
    with pytest.raises(ConfigError, match="list of names"):
        Cache(rows="embed")
    with pytest.raises(ConfigError, match="list of names"):
        Cache(models="embed")


async def test_a_cache_needs_a_transport_below(kit: type[Kit]) -> None:
    async def inner(request: InferRequest) -> InferResponse:
        raise AssertionError

    with pytest.raises(ConfigError, match="over a transport"):
        await Stack(inner, [Cache()])(InferRequest(model="m", inputs={}))


async def test_a_cache_belongs_to_one_client(kit: type[Kit], model: Model) -> None:
    cache = model.cache()
    Stack(model.transport, [cache])
    with pytest.raises(ConfigError, match="one client"):
        Stack(kit.Model().transport, [cache])


@pytest.mark.parametrize("shared", [True, False])
async def test_a_store_that_only_gets_and_puts(kit: type[Kit], model: Model, shared: bool) -> None:
    """Forty lines are enough for a store: what it was given is found again."""
    entries: dict[bytes, Any] = {}

    class Small(Store):
        async def get(self, model: str, keys: Any) -> Any:
            await asyncio.sleep(0)
            return [entries.get(key) for key in keys]

        async def put(self, model: str, new: Any, lifetime: float | None) -> None:
            await asyncio.sleep(0)
            entries.update(new)

    Small.shared = shared
    stack = model.stack(Small())
    await kit.ask(stack, [1, 2])
    await asyncio.sleep(0.15)
    answer = await kit.ask(stack, [2, 1, 3])
    assert answer["y"].ravel().tolist() == [2.0, 1.0, 3.0]
    assert answer.trace.origins == ("store", "store", "model")
    assert model.sent == [[1.0, 2.0], [3.0]]
    await stack.aclose()


async def test_what_a_shared_store_has_is_kept_here_too(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """With the age that it has: it is not young again."""
    other = model.stack(store)
    await kit.ask(other, [1])
    await other.aclose()
    model.clock.advance(6)
    here = model.stack(kit_memory(model), store, ttl=10)
    assert str((await kit.ask(here, [1])).trace) == "1 shared"
    second = (await kit.ask(here, [1])).trace
    assert (second.origins, second.ages) == (("memory",), (6.0,))
    model.clock.advance(4)
    assert (await kit.ask(here, [1])).trace.origins == ("model",)
    await here.aclose()


async def test_what_is_counted(kit: type[Kit], model: Model) -> None:
    cache = model.cache()
    stack = Stack(model.transport, [cache])
    await kit.ask(stack, [1, 1, 2])
    await kit.ask(stack, [1, 2])
    assert cache.counts == {"model": 2, "coalesced": 1, "memory": 2}


async def test_what_is_recorded(kit: type[Kit], model: Model) -> None:
    """Every row, its size, and what it took where it was computed."""
    taken: list[tuple[Any, ...]] = []

    class Notes:
        def record(self, *what: Any) -> None:
            taken.append(what)

    memory = Memory("1MB", clock=model.clock)
    stack = model.stack(memory, record=Notes())

    async def slow(request: InferRequest) -> dict[str, Any]:
        model.clock.advance(0.5)
        return {"y": request.inputs["x"]}

    model.transport.handler = slow
    await kit.ask(stack, [1, 2, 1])
    await kit.ask(stack, [1])
    assert [name for name, *_ in taken] == ["m", "m"]
    (keys, sizes, seconds), (again, _, none) = taken[0][1:], taken[1][1:]
    assert keys[0] == keys[2] == again[0] != keys[1]
    assert sizes[0] == sizes[1] == sizes[2]
    assert sum(sizes[:2]) == memory.nbytes
    assert seconds[:2] == [0.25, 0.25]
    assert none == [0.0]
