"""Another model under the same name: none ever answers for it out of the cache."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tritonkit.client import Cache, InferRequest, InferResponse, Memory, Stack
from tritonkit.client.identity.identities import Identities
from tritonkit.errors import InferenceFailed, ModelUnavailable, ServerUnavailable

if TYPE_CHECKING:
    from conftest import Kit, Model, SharedStore


@pytest.mark.parametrize("digest", ["B", ""])
@pytest.mark.parametrize("invariant", [True, False])
async def test_a_reload_is_noticed(kit: type[Kit], digest: str, invariant: bool) -> None:
    """In place, with a digest or without: after *recheck* the new model answers."""
    model = kit.Model(digest="A" if digest else "", invariant=invariant)
    stack = model.stack(recheck=1)
    await kit.ask(stack, [1, 2])
    model.reload(5.0, digest)
    model.clock.advance(1.0)
    assert (await kit.ask(stack, [1, 2]))["y"].tolist() == [[5.0], [10.0]]


async def test_a_reload_of_the_same_model_loses_nothing(kit: type[Kit], model: Model) -> None:
    stack = model.stack(recheck=1)
    await kit.ask(stack, [1, 2])
    model.reload(1.0, "A")
    model.clock.advance(1.0)
    answer = await kit.ask(stack, [1, 2])
    assert answer["y"].tolist() == [[1.0], [2.0]]


async def test_back_again_with_a_digest(kit: type[Kit], model: Model) -> None:
    """What B answered before anybody knew of it is not A's when A is back."""
    stack = model.stack(recheck=1)
    await kit.ask(stack, [1])
    model.reload(5.0, "B")
    await kit.ask(stack, [2])
    model.clock.advance(1.0)
    assert (await kit.ask(stack, [2]))["y"].tolist() == [[10.0]]
    model.reload(1.0, "A")
    model.clock.advance(1.0)
    assert (await kit.ask(stack, [1, 2]))["y"].tolist() == [[1.0], [2.0]]


async def test_back_again_without_being_seen(kit: type[Kit], model: Model) -> None:
    """A, B, A within *recheck*: the counters tell that A was loaded anew."""
    stack = model.stack(recheck=1)
    for row in range(5):
        await kit.ask(stack, [row])
    model.clock.advance(0.6)
    await kit.ask(stack, [0])
    await kit.settle()
    model.reload(5.0, "B")
    await kit.ask(stack, [7])
    model.reload(1.0, "A")
    model.clock.advance(1.0)
    assert (await kit.ask(stack, [7]))["y"].tolist() == [[7.0]]


@pytest.mark.parametrize("seen", [True, False])
async def test_back_again_over_a_shared_store(
    kit: type[Kit], model: Model, store: SharedStore, seen: bool
) -> None:
    """Nothing of B gets into the store under A, whether B was ever seen or not."""
    stack = model.stack(Memory("1MB", clock=model.clock), store, recheck=1)
    for row in range(3):
        await kit.ask(stack, [row])
    await asyncio.sleep(0.15)
    await kit.ask(stack, [3])
    await asyncio.sleep(0.15)
    assert len(store.entries) == 4
    model.reload(5.0, "B")
    await kit.ask(stack, [7])
    if seen:
        model.clock.advance(1.0)
        await kit.ask(stack, [8])
        await asyncio.sleep(0.15)
    model.reload(1.0, "A")
    model.clock.advance(1.0)
    await asyncio.sleep(0.15)
    for asking in (stack, kit.Model.stack(model, store)):
        rows = [0, 1, 3, 7, 8]
        assert (await kit.ask(asking, rows))["y"].ravel().tolist() == rows
    await stack.aclose()


async def test_back_again_while_a_call_of_another_one_is_under_way(
    kit: type[Kit], model: Model
) -> None:
    """Nobody joins it when A is back, and its answer is not kept under A."""
    stack = model.stack(recheck=1)
    await kit.ask(stack, [1])
    model.clock.advance(0.6)
    await kit.ask(stack, [1])
    await kit.settle()
    model.clock.advance(0.1)
    model.reload(5.0, "B")
    model.gate = asyncio.Event()
    old = asyncio.ensure_future(kit.ask(stack, [7]))
    await kit.settle()
    gate, model.gate = model.gate, None
    model.clock.advance(1.0)
    model.failure = InferenceFailed("no")
    with pytest.raises(InferenceFailed):
        await kit.ask(stack, [1])
    model.failure = None
    model.reload(1.0, "A")
    model.clock.advance(1.0)
    new = asyncio.ensure_future(kit.ask(stack, [7]))
    await kit.settle()
    gate.set()
    assert (await old)["y"].tolist() == [[35.0]]
    assert (await new)["y"].tolist() == [[7.0]]
    assert (await kit.ask(stack, [7]))["y"].tolist() == [[7.0]]


async def test_an_answer_is_written_when_its_model_is_confirmed(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """The model is loaded anew between the question and the answer: nothing of it is kept."""
    stack = model.stack(Memory("1MB", clock=model.clock), store, recheck=1)
    await kit.ask(stack, [1])
    await asyncio.sleep(0.15)
    kept = len(store.entries)
    assert kept == 1
    model.gate = asyncio.Event()
    call = asyncio.ensure_future(kit.ask(stack, [2]))
    await kit.settle()
    model.reload(5.0, "B")
    model.gate.set()
    assert (await call)["y"].tolist() == [[2.0]]
    await asyncio.sleep(0.15)
    assert len(store.entries) == kept
    await stack.aclose()


async def test_a_model_that_is_gone_keeps_no_other_waiting(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """Nobody can confirm its answers any more; those of others are written all the same."""
    stack = model.stack(Memory("1MB", clock=model.clock), store, recheck=1)
    await kit.ask(stack, [1])
    await kit.ask(stack, [1], model="gone")
    await asyncio.sleep(0.25)
    assert len(store.entries) == 2
    model.transport.gone.add("gone")
    await kit.ask(stack, [2], model="gone")
    await kit.ask(stack, [2])
    await asyncio.sleep(0.35)
    assert len(store.entries) == 3
    await stack.aclose()


async def test_the_version_that_answers_is_the_one_that_is_kept(
    kit: type[Kit], model: Model
) -> None:
    """A rollout while it is believed that version 1 answers: no answer has rows of both."""
    stack = model.stack(recheck=100)
    await kit.ask(stack, [1, 2])
    model.reload(5.0, "B", version="2")
    answer = await kit.ask(stack, [1, 2, 3])
    assert answer["y"].tolist() == [[5.0], [10.0], [15.0]]
    assert answer.version == "2"
    model.reload(1.0, "A", version="1")
    answer = await kit.ask(stack, [3, 4, 1])
    assert answer["y"].tolist() == [[3.0], [4.0], [1.0]]
    assert answer.version == "1"


async def test_waiting_for_a_version_that_is_gone(kit: type[Kit], model: Model) -> None:
    """Who joined a call gets what the new version says, too."""
    stack = model.stack(recheck=100)
    await kit.ask(stack, [0])
    model.reload(5.0, "B", version="2")
    model.gate = asyncio.Event()
    calls = [asyncio.ensure_future(kit.ask(stack, rows)) for rows in ([0, 1], [1, 2], [2])]
    await kit.settle()
    model.gate.set()
    for call, rows in zip(calls, ([0, 1], [1, 2], [2]), strict=True):
        answer = await call
        assert answer.version == "2"
        assert answer["y"].ravel().tolist() == [5.0 * row for row in rows]


async def test_a_version_that_is_named_is_no_other(kit: type[Kit], model: Model) -> None:
    """The greatest answers one who names none: two versions, two answers."""
    model.transport.versions[:] = ["1", "2"]
    model.transport.handler = lambda request: {
        "y": request.inputs["x"] * (1 if request.version == "1" else 2)
    }
    stack = model.stack()
    for _ in range(2):
        for version, factor in (("", 2.0), ("1", 1.0), ("2", 2.0)):
            assert (await kit.ask(stack, [3], version=version))["y"].tolist() == [[3 * factor]]
    # "" and "2" are one model.
    assert len(model.sent) == 2


async def test_two_models_of_one_configuration(kit: type[Kit], model: Model) -> None:
    model.transport.handler = lambda request: {
        "y": request.inputs["x"] * (1 if request.model == "m" else 2)
    }
    stack = model.stack()
    for _ in range(2):
        assert (await kit.ask(stack, [3], model="m"))["y"].tolist() == [[3.0]]
        assert (await kit.ask(stack, [3], model="n"))["y"].tolist() == [[6.0]]


async def test_scopes_share_nothing(kit: type[Kit], model: Model, store: SharedStore) -> None:
    """Neither in memory, nor in a shared store, nor while a row is computed."""
    stack = model.stack(Memory("1MB", clock=model.clock), store)
    model.gate = asyncio.Event()
    calls = [asyncio.ensure_future(kit.ask(stack, [1], scope=s)) for s in ("", "a", "b", "a")]
    await kit.settle()
    assert len(model.sent) == 3
    model.gate.set()
    await asyncio.gather(*calls)
    await stack.aclose()
    stack = model.stack(Memory("1MB", clock=model.clock), store)
    assert (await kit.ask(stack, [1], scope="c")).trace.origins == ("model",)
    assert (await kit.ask(stack, [1], scope="b")).trace.origins == ("shared",)
    assert (await kit.ask(stack, [1], scope="b")).trace.origins == ("memory",)
    await stack.aclose()


async def test_a_model_without_a_digest_stays_here(kit: type[Kit], store: SharedStore) -> None:
    """Another process could not tell it from another model of the same configuration."""
    model = kit.Model(digest="")
    store.clock = model.clock
    stack = model.stack(Memory("1MB", clock=model.clock), store)
    await kit.ask(stack, [1])
    await asyncio.sleep(0.15)
    await stack.aclose()
    assert not store.entries


async def test_a_named_state_is_a_digest(kit: type[Kit], store: SharedStore) -> None:
    """And another name is another model."""
    model = kit.Model(digest="")
    store.clock = model.clock
    stack = model.stack(store, identities={"m": "2026-11"})
    await kit.ask(stack, [1])
    await stack.aclose()
    again = model.stack(store, identities={"m": "2026-11"})
    assert (await kit.ask(again, [1])).trace.origins == ("shared",)
    other = model.stack(store, identities={"m": "2026-12"})
    assert (await kit.ask(other, [1])).trace.origins == ("model",)
    await again.aclose()
    await other.aclose()


async def test_a_setting_of_how_a_model_runs_is_not_another_model(
    kit: type[Kit], model: Model
) -> None:
    stack = model.stack(recheck=1)
    await kit.ask(stack, [1])
    model.transport.model_config["instance_group"] = [{"count": 4}]
    model.clock.advance(1.0)
    assert (await kit.ask(stack, [1])).trace.origins == ("memory",)
    model.transport.model_config["default_model_filename"] = "other.onnx"
    model.clock.advance(1.0)
    assert (await kit.ask(stack, [1])).trace.origins == ("model",)


async def test_a_part_of_an_ensemble_is_part_of_what_it_is(kit: type[Kit]) -> None:
    class Ensemble(kit.Transport):  # type: ignore[name-defined,misc]
        digest = "A"

        async def config(self, model: str, version: str = "", **options: Any) -> dict[str, Any]:
            config: dict[str, Any] = await super().config(model, version, **options)
            digest = "E"
            if model == "m":
                config["ensemble_scheduling"] = {"step": [{"model_name": "s"}]}
            else:
                digest = self.digest
            config["parameters"] = {"tritonkit.model_digest": {"string_value": digest}}
            return config

    model = kit.Model()
    transport = Ensemble(
        lambda request: {"y": request.inputs["x"] * (1 if transport.digest == "A" else 2)},
        inputs={"x": (1,)},
        outputs={"y": (1,)},
    )
    stack = Stack(transport, [model.cache(rows=["m"], recheck=1)])
    assert (await kit.ask(stack, [1]))["y"].tolist() == [[1.0]]
    transport.digest = "B"
    model.clock.advance(1.0)
    assert (await kit.ask(stack, [1]))["y"].tolist() == [[2.0]]


async def test_an_answer_of_another_model_is_not_kept(kit: type[Kit], model: Model) -> None:
    """A layer below fell back to a smaller one: it answers, and is asked for again."""
    model.transport.handler = lambda request: InferResponse(
        model="small", version="9", outputs={"y": request.inputs["x"] * 0}
    )
    stack = model.stack()
    answer = await kit.ask(stack, [1])
    assert (answer.model, answer.version, answer["y"].tolist()) == ("small", "9", [[0.0]])
    model.transport.handler = lambda request: {"y": request.inputs["x"]}
    answer = await kit.ask(stack, [1])
    assert (answer.model, answer["y"].tolist()) == ("m", [[1.0]])


@pytest.mark.parametrize(
    "error", [ServerUnavailable("away"), ModelUnavailable("gone", model="m"), ValueError("bug")]
)
async def test_a_failure_is_not_kept(kit: type[Kit], model: Model, error: Exception) -> None:
    stack = model.stack()
    model.failure = error
    for _ in range(2):
        with pytest.raises(type(error)):
            await kit.ask(stack, [1])
    model.failure = None
    assert (await kit.ask(stack, [1])).trace.origins == ("model",)


async def test_a_call_that_was_cancelled_is_not_kept(kit: type[Kit], model: Model) -> None:
    stack = model.stack()
    model.gate = asyncio.Event()
    call = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await kit.settle()
    assert model.cancelled == 1
    model.gate.set()
    assert (await kit.ask(stack, [1])).trace.origins == ("model",)


async def test_a_model_that_was_away_is_asked_about(kit: type[Kit]) -> None:
    """Unloaded and loaded within *recheck*: the failure is what there is to see of it."""
    model = kit.Model(digest="")
    stack = model.stack(recheck=100)
    await kit.ask(stack, [1])
    model.failure = ModelUnavailable("gone", model="m")
    with pytest.raises(ModelUnavailable):
        await kit.ask(stack, [2])
    model.failure = None
    model.factor = 5.0
    assert (await kit.ask(stack, [1]))["y"].tolist() == [[5.0]]


async def test_names_of_no_model_are_not_remembered(kit: type[Kit], model: Model) -> None:
    """They come from outside, and there is no end of them."""
    identities = Identities(model.transport)
    for number in range(10):
        model.transport.gone.add(f"no {number}")
        with pytest.raises(ModelUnavailable):
            await identities.read(f"no {number}", "")
    assert not identities._loads._doubtful
    assert not identities._reads


async def test_one_question_for_many_who_ask(kit: type[Kit], model: Model) -> None:
    model.transport.asking = asyncio.Event()
    stack = model.stack()
    calls = [asyncio.ensure_future(kit.ask(stack, [row])) for row in range(5)]
    await kit.settle()
    calls[0].cancel()
    await kit.settle()
    model.transport.asking.set()
    await asyncio.gather(*calls[1:])
    assert model.transport.questions == 1


async def test_the_question_is_asked_before_anybody_waits(kit: type[Kit], model: Model) -> None:
    """In the second half of *recheck*, while what is known still serves."""
    stack = model.stack(recheck=1)
    await kit.ask(stack, [1])
    model.clock.advance(0.6)
    model.transport.asking = asyncio.Event()
    assert (await kit.ask(stack, [1])).trace.origins == ("memory",)
    await kit.settle()
    assert model.transport.questions == 2
    model.transport.asking.set()
    await kit.settle()
    model.clock.advance(0.6)
    await kit.ask(stack, [1])
    await kit.settle()
    assert model.transport.questions == 3


async def test_a_server_of_another_make(kit: type[Kit]) -> None:
    """It names no versions and has no statistics."""

    class Plain(kit.Transport):  # type: ignore[name-defined,misc]
        async def metadata(self, *args: Any, **options: Any) -> dict[str, Any]:
            metadata: dict[str, Any] = await super().metadata(*args, **options)
            del metadata["versions"]
            return metadata

    transport = Plain(
        lambda request: InferResponse(model="m", outputs={"y": request.inputs["x"]}),
        inputs={"x": (1,)},
        outputs={"y": (1,)},
    )
    stack = Stack(transport, [Cache(rows=["m"])])
    await kit.ask(stack, [1])
    assert (await kit.ask(stack, [1])).trace.origins == ("memory",)


async def test_requests_differ_in_what_may_change_the_answer(kit: type[Kit], model: Model) -> None:
    """Parameters and shapes; not in how long they may take, nor in their names."""

    def handler(request: InferRequest) -> dict[str, Any]:
        return {"y": np.full((len(request.inputs["x"]), 1), len(model.sent), dtype=np.float32)}

    model.transport.handler = handler
    stack = model.stack()

    async def infer(x: Any = 1.0, **options: Any) -> float:
        array = np.full((1, 1), x, dtype=np.float32)
        answer = await stack(InferRequest(model="m", inputs={"x": array}, **options))
        return float(answer["y"][0, 0])

    assert await infer() == 1
    assert await infer(id="other", deadline=1e12) == 1
    values = [1, 2, 1.0, True, "1", 0, False, ""]
    assert [await infer(parameters={"k": value}) for value in values] == list(range(2, 10))
    assert [await infer(parameters={"k": value}) for value in values] == list(range(2, 10))
    assert await infer(0.0) == 10
    assert await infer(-0.0) == 11


async def test_used_by_others_while_nobody_looked(kit: type[Kit]) -> None:
    """
    Counters that have shrunk and grown again tell nothing: without a digest that is another load.

    A model that nobody used meanwhile is the same one.
    """
    model = kit.Model(digest="", factor=2.0)
    stack = model.stack()
    assert (await kit.ask(stack, [1]))["y"].tolist() == [[2.0]]
    await asyncio.sleep(0.3)
    model.clock.advance(60)
    assert (await kit.ask(stack, [1])).trace.origins == ("memory",)

    model.reload(3.0)
    model.transport.counters = dict.fromkeys(model.transport.counters, 1000)
    model.clock.advance(60)
    answer = await kit.ask(stack, [1])
    assert (answer.trace.origins, answer["y"].tolist()) == (("model",), [[3.0]])


async def test_a_model_that_the_server_caches(
    kit: type[Kit], model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    """What its own cache answers wrongly, ours would keep: that is told."""
    model.transport.model_config["response_cache"] = {"enable": True}
    await kit.ask(model.stack(), [1])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "response_cache" in caplog.text


async def test_a_server_that_names_no_version(kit: type[Kit], model: Model) -> None:
    stack = model.stack()
    x = np.ones((1, 1), np.float32)
    model.transport.handler = lambda request: InferResponse(model="m", outputs={"y": x})
    await kit.ask(stack, [1])
    assert (await kit.ask(stack, [1])).trace.origins == ("memory",)
    assert len(model.sent) == 1


async def test_invalidation_of_a_model_in_a_scope(kit: type[Kit], model: Model) -> None:
    cache = model.cache()
    stack = Stack(model.transport, [cache])
    for scope in ("a", "b"):
        await kit.ask(stack, [1], scope=scope)
    await cache.invalidate("m", "a")
    assert (await kit.ask(stack, [1], scope="a")).trace.origins == ("model",)
    assert (await kit.ask(stack, [1], scope="b")).trace.origins == ("memory",)
