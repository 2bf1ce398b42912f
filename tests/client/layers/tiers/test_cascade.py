"""Rows in doubt go on, and come back in their places (E27)."""

from __future__ import annotations

import asyncio
import os
import warnings
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tritonkit.client import Cache, InferRequest, InferResponse, Memory, Trace
from tritonkit.client.layers.tiers.cascade import MAX_MODELS, Cascade
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.errors import (
    ConfigError,
    DeadlineExceeded,
    InvalidInput,
    RequestError,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import Ways

DOWN = ServerUnavailable("down")


def cascade(ways: Ways, threshold: float | None = 0.75, **options: Any) -> Tiers:
    """The fast model answers (x, 1 - x), the accurate one (1, 0)."""
    ways.surety["fast"] = lambda x: x
    return Tiers(*ways.routes(), strategy=Cascade(threshold=threshold, **options))


def sureties(values: list[float]) -> np.ndarray:
    x = np.array(values, dtype=np.float32)
    return np.maximum(x, 1 - x)


@given(
    values=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40),
    threshold=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
def test_exactly_the_rows_in_doubt_go_on(
    ways_of: type[Ways], values: list[float], threshold: float
) -> None:
    """Every row has the answer of the model that it should have, in its place."""
    ways = ways_of()
    stack = ways.stack(cascade(ways, threshold))
    answer = asyncio.run(stack(ways.request(*values)))
    x = np.array(values, dtype=np.float32)
    doubt = sureties(values).astype(np.float64) < threshold
    assert ways.rows("fast") == x.tolist()
    assert ways.rows("accurate") == x[doubt].tolist()
    np.testing.assert_array_equal(answer["y"][:, 0], np.where(doubt, np.float32(1), x))
    names = ["accurate" if one else "fast" for one in doubt]
    assert answer.trace.tiers in (tuple(names), tuple(names[:1]))
    assert len(set(names)) == 1 or len(answer.trace.tiers) == len(values)
    assert answer.trace.degraded == ""


async def test_an_answer_of_both_is_under_both_names(ways: Ways) -> None:
    answer = await ways.stack(cascade(ways))(ways.request(0.5, 1.0))
    assert answer.model == "fast+accurate"
    assert answer.trace.tiers == ("accurate", "fast")


async def test_the_accurate_model_fails(ways: Ways) -> None:
    """Its rows keep the fast answers, the others are as they were, and the answer says so."""
    ways.fail["accurate"] = DOWN
    answer = await ways.stack(cascade(ways))(ways.request(0.5, 1.0, 0.625))
    assert answer["y"][:, 0].tolist() == [0.5, 1.0, 0.625]
    assert answer.trace.degraded == "cascade: accurate: ServerUnavailable"
    assert answer.trace.tiers == ("fast",)
    sure = await ways.stack(cascade(ways))(ways.request(1.0))
    assert sure.trace.degraded == ""


async def test_the_fast_model_fails(ways: Ways) -> None:
    """The accurate one answers everything, which is no less than was asked for."""
    ways.fail["fast"] = DOWN
    answer = await ways.stack(cascade(ways))(ways.request(0.5, 1.0))
    assert answer["y"][:, 0].tolist() == [1.0, 1.0]
    assert (answer.trace.tiers, answer.trace.degraded) == (("accurate",), "")


async def test_a_wrong_request_stops_at_the_first(ways: Ways) -> None:
    ways.fail["fast"] = InvalidInput("wrong")
    with pytest.raises(InvalidInput):
        await ways.stack(cascade(ways))(ways.request(0.5))
    assert ways.asked == ["fast"]


async def test_all_models_fail(ways: Ways) -> None:
    ways.fail = {"fast": DOWN, "accurate": RequestError("as well")}
    with pytest.raises(RequestError, match="as well"):
        await ways.stack(cascade(ways))(ways.request(0.5))


async def test_three_routes(ways_of: type[Ways]) -> None:
    """Each step takes on only what the one below is not sure of."""
    ways = ways_of("accurate", "middle", "fast")
    ways.surety |= {"fast": lambda x: x, "middle": lambda x: np.where(x > 0.55, 0.9, x)}
    stack = ways.stack(Tiers(*ways.routes(), strategy=Cascade(threshold=0.75)))
    answer = await stack(ways.request(0.5, 1.0, 0.625))
    assert answer.trace.tiers == ("accurate", "fast", "middle")
    assert answer["y"][:, 0].tolist() == [1.0, 1.0, np.float32(0.9)]
    assert (ways.rows("middle"), ways.rows("accurate")) == ([0.5, 0.625], [0.5])


async def test_the_one_between_fails(ways_of: type[Ways]) -> None:
    ways = ways_of("accurate", "middle", "fast")
    ways.surety["fast"] = lambda x: x
    ways.fail["middle"] = DOWN
    stack = ways.stack(Tiers(*ways.routes(), strategy=Cascade(threshold=0.75)))
    answer = await stack(ways.request(0.5, 1.0))
    assert (answer.trace.tiers, answer.trace.degraded) == (("accurate", "fast"), "")
    ways.fail["accurate"] = DOWN
    answer = await stack(ways.request(0.5, 1.0))
    assert answer.trace.degraded == (
        "cascade: middle: ServerUnavailable, accurate: ServerUnavailable"
    )


async def test_too_little_time_for_the_accurate_model(ways: Ways) -> None:
    """Once it is known what it takes, it is not asked with less than that (E28)."""
    seconds = [0.0]

    def clock() -> float:
        # Each look at the clock: half a second later.
        seconds[0] += 0.5
        return seconds[0]

    stack = ways.stack(cascade(ways, clock=clock))
    for _ in range(20):
        await stack(ways.request(0.5))
    ways.transport.requests.clear()
    answer = await stack(ways.request(0.5, deadline=monotonic() + 0.4))
    assert ways.asked == ["fast"]
    assert answer.trace.degraded == "cascade: accurate: too little time"
    answer = await stack(ways.request(0.5, deadline=monotonic() + 30))
    assert answer.trace.tiers == ("accurate",)


async def test_a_limited_number_of_models(ways: Ways) -> None:
    """Whatever models are asked for, what is remembered of them stays small."""
    strategy = cascade(ways).strategy
    stack = ways.stack(Tiers(*ways.routes(), strategy=strategy))
    for number in range(MAX_MODELS + 10):
        await stack(replace(ways.request(0.5), model=f"m{number}"))
    assert isinstance(strategy, Cascade)
    assert len(strategy._delays) == MAX_MODELS


async def test_the_deadline_is_over_when_the_fast_answer_comes(ways: Ways) -> None:
    async def slow(request: InferRequest) -> Any:
        await asyncio.sleep(0.02)
        return {"y": np.float32([[0.5, 0.5]])}

    stack = ways.stack(cascade(ways))
    await stack(ways.request(1.0))
    ways.transport.handler = slow
    ways.transport.requests.clear()
    answer = await stack(ways.request(0.5, deadline=monotonic() + 0.01))
    assert (ways.asked, answer.trace.degraded) == (["fast"], "cascade: accurate: too little time")


async def test_time_runs_out_at_the_accurate_model(ways: Ways) -> None:
    ways.gates["accurate"] = asyncio.Event()
    answer = await ways.stack(cascade(ways))(ways.request(0.5, deadline=monotonic() + 0.05))
    assert answer.trace.degraded == "cascade: accurate: DeadlineExceeded"


async def test_a_share_goes_on(ways: Ways) -> None:
    stack = ways.stack(cascade(ways, None, share="20%"))
    rng = np.random.default_rng(1)
    total = 0
    for _ in range(200):
        await stack(ways.request(*rng.uniform(0.5, 1, 60)))
        total += 60
    assert abs(len(ways.rows("accurate")) / total - 0.2) <= 0.01


async def test_a_function_scores(ways: Ways) -> None:
    stack = ways.stack(cascade(ways, 0.3, score=lambda outputs: outputs["y"][:, 0]))
    await stack(ways.request(0.1, 0.9))
    assert ways.rows("accurate") == pytest.approx([0.1])


async def test_nan_is_in_doubt(ways: Ways) -> None:
    stack = ways.stack(cascade(ways, 0.0))
    answer = await stack(ways.request(float("nan"), 0.5))
    assert answer["y"][:, 0].tolist() == [1.0, 0.5]


async def test_the_scored_output_is_asked_for_and_left_out(ways_of: type[Ways]) -> None:
    ways = ways_of(outputs={"y": [2], "z": [1]})

    def handler(request: InferRequest) -> Any:
        x = request.inputs["x"]
        return {"y": np.concatenate([x, 1 - x], axis=1), "z": x + (request.model == "accurate")}

    ways.transport.handler = handler
    stack = ways.stack(cascade(ways, output="y"))
    answer = await stack(ways.request(0.5, 1.0, outputs=("z",)))
    assert list(answer) == ["z"]
    assert answer["z"].ravel().tolist() == [1.5, 1.0]
    assert {request.outputs for request in ways.transport.requests} == {("z", "y")}
    for values in ([0.5], [1.0]):
        assert list(await stack(ways.request(*values, outputs=("z",)))) == ["z"]


async def test_a_model_that_does_not_batch_goes_on_whole(ways_of: type[Ways]) -> None:
    ways = ways_of(max_batch_size=0, inputs={"x": [-1, 1]}, outputs={"y": [-1, 2]})
    stack = ways.stack(cascade(ways))
    answer = await stack(ways.request(0.5, 1.0))
    assert (answer.trace.tiers, ways.rows("accurate")) == (("accurate",), [0.5, 1.0])
    assert (await stack(ways.request(1.0, 1.0))).trace.tiers == ("fast",)
    ways.fail["accurate"] = DOWN
    answer = await stack(ways.request(0.5, 1.0))
    assert answer.trace.degraded == "cascade: accurate: ServerUnavailable"
    assert answer.trace.tiers == ("fast",)


@pytest.mark.parametrize(
    "outputs",
    [
        {"z": np.ones((1, 2), np.float32)},
        {"y": np.ones((1, 2), np.float64)},
        {"y": np.ones((1, 3), np.float32)},
        {"y": np.ones((2, 2), np.float32)},
    ],
)
async def test_routes_that_do_not_go_together(ways: Ways, outputs: dict[str, Any]) -> None:
    tiers = cascade(ways)

    def handler(request: InferRequest) -> Any:
        if request.model == "accurate":
            return InferResponse(model="accurate", outputs=outputs)
        return {"y": np.float32([[0.5, 0.5], [1, 0]])}

    ways.transport.handler = handler
    with pytest.raises(ConfigError, match="'accurate'"):
        await ways.stack(tiers)(ways.request(0.5, 1.0))


async def test_texts_are_merged(ways_of: type[Ways]) -> None:
    ways = ways_of(outputs={"label": [1]}, datatypes={"label": "BYTES"})

    def handler(request: InferRequest) -> Any:
        text = b"sure" if request.model == "accurate" else b"guess"
        return {"label": np.full((len(request.inputs["x"]), 1), text, np.object_)}

    ways.transport.handler = handler
    tiers = cascade(ways, score=lambda outputs: np.array([0.0, 1.0, 0.0]))
    answer = await ways.stack(tiers)(ways.request(0, 1, 2))
    assert answer["label"].ravel().tolist() == [b"sure", b"guess", b"sure"]
    with pytest.raises(ValueError, match="read-only"):
        answer["label"][0] = b"x"


async def test_what_each_took_is_added_and_each_row_keeps_its_origin(ways: Ways) -> None:
    def handler(request: InferRequest) -> Any:
        x = request.inputs["x"]
        fast = request.model == "fast"
        return InferResponse(
            model=request.model,
            outputs={"y": np.concatenate([x, 1 - x], axis=1)},
            trace=Trace(
                attempts=1,
                cost=10 if fast else 1000,
                origins=("memory",) * len(x) if fast else (),
                ages=(3.0,) * len(x) if fast else (),
            ),
        )

    tiers = cascade(ways)
    ways.transport.handler = handler
    trace = (await ways.stack(tiers)(ways.request(0.5, 1.0))).trace
    assert (trace.attempts, trace.cost) == (2, 1010)
    assert (trace.origins, trace.ages) == (("model", "memory"), (0.0, 3.0))


async def test_caches_below_keep_each_routes_rows(ways: Ways) -> None:
    parameters = ways.transport.model_config["parameters"]
    parameters["tritonkit.batch_invariant"] = {"string_value": "true"}
    stack = ways.stack(cascade(ways), Cache(Memory("1MB")))
    first = await stack(ways.request(0.5, 1.0))
    again = await stack(ways.request(1.0, 0.5, 0.25))
    assert again["y"][:2].tolist() == first["y"][::-1].tolist()
    assert again.trace.origins == ("memory", "memory", "model")
    assert again.trace.tiers == ("fast", "accurate", "fast")
    assert ways.rows("accurate") == [0.5]


async def test_concurrent_callers_do_not_mix(ways: Ways) -> None:
    stack = ways.stack(cascade(ways))
    rng = np.random.default_rng(5)
    asked = [rng.uniform(0.5, 1, 7).astype(np.float32) for _ in range(40)]
    answers = await asyncio.gather(*[stack(ways.request(*values)) for values in asked])
    for values, answer in zip(asked, answers, strict=True):
        expected = np.where(values < 0.75, np.float32(1), values)
        np.testing.assert_array_equal(answer["y"][:, 0], expected)


async def test_a_cancelled_caller_leaves_nothing(ways: Ways) -> None:
    ways.gates["accurate"] = asyncio.Event()
    call = asyncio.ensure_future(ways.stack(cascade(ways))(ways.request(0.5)))
    await ways.until(lambda: "accurate" in ways.asked)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ways.cancelled == ["accurate"]


async def test_too_late_at_all(ways: Ways) -> None:
    with pytest.raises(DeadlineExceeded):
        await ways.stack(cascade(ways))(ways.request(0.5, deadline=monotonic() - 1))
    assert ways.asked == []


@pytest.mark.parametrize(
    "options", [{}, {"threshold": 0.5, "share": 0.2}, {"threshold": float("nan")}]
)
def test_a_threshold_or_a_share(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="threshold"):
        Cascade(**options)  # type: ignore[arg-type]


def test_survives_a_fork(ways: Ways) -> None:
    """Another thread may hold the lock while this one forks."""
    strategy = Cascade(share=1)
    stack = ways.stack(Tiers(*ways.routes(), strategy=strategy))
    with warnings.catch_warnings(), strategy._lock:
        # Python 3.12 warns of a fork of a process with threads: uvloop's, pytest's.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
        if not pid:
            answer = asyncio.run(stack(ways.request(0.5)))
            os._exit(0 if answer.trace.tiers == ("accurate",) else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_shows_its_limit() -> None:
    assert repr(Cascade(threshold=0.8)) == "Cascade(max_probability < 0.8)"
    assert repr(Cascade(score="margin", share="20%", output="y")) == (
        "Cascade(margin of y share='20%')"
    )
