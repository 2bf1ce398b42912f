"""`policy check` warns of layers that do not help where they stand, and of no others."""

from __future__ import annotations

import asyncio
from itertools import combinations
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tritonkit.cli import main
from tritonkit.client import (
    Breaker,
    Budget,
    Cache,
    Constant,
    InferRequest,
    InferResponse,
    Layer,
    Quota,
    Route,
    Stack,
    Tiers,
)
from tritonkit.client.policy.policy import Policy
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import BudgetExceeded, CircuitOpen, DeadlineExceeded, ServerUnavailable

SERVER = 'server = "http://localhost:8000"\n'
TABLES = {
    "split": 'experiment = "e"\narms = [{ name = "c" }, { name = "d", model = "other" }]',
    "deadline": 'timeout = "2s"',
    "tiers": 'routes = [{ name = "a" }, { name = "b", model = "other" }]',
    "budget": 'quotas = [{ limit = "2 calls", window = "1h" }]',
}
ORDER = (
    "deadline",
    "split",
    "tiers",
    "cache",
    "coalesce",
    "hedge",
    "retry",
    "budget",
    "limit",
    "breaker",
)
"""From the outside in, as docs/decisions/018-order-of-layers.md has it."""


def policy(*layers: str) -> str:
    """Each in three lines, the first in the second: a name, or a name and further options."""
    tables = []
    for layer in layers:
        name, _, more = layer.partition(" ")
        tables.append(f'[[layers]]\ntype = "{name}"\n{more or TABLES.get(name, "")}\n')
    return SERVER + "".join(tables)


def warnings(*layers: str) -> list[tuple[int, str, str]]:
    return [(w.line, w.key, w.message) for w in Policy(policy(*layers)).warnings]


def test_the_recommended_order() -> None:
    assert warnings(*ORDER) == []
    # Whatever is left out.
    for pair in combinations(ORDER, 2):
        assert warnings(*pair) == []


@pytest.mark.parametrize(
    ("outer", "inner", "why"),
    [
        ("cache", "tiers", "keeps no answer of any but the first route"),
        ("coalesce", "cache", "whose rows are kept"),
        ("hedge", "cache", "the second request waits for the first"),
        ("hedge", "coalesce", "cannot be taken back"),
        ("budget", "tiers", "another route would answer"),
        ("budget", "cache", "denies answers that are kept"),
        ("limit", "cache", "take a place"),
        ("limit", "coalesce", "counts callers"),
        ("limit", "hedge", "need no place"),
        ("limit", "retry", "holds its place"),
        ("breaker", "tiers", "another route would answer"),
        ("breaker", "cache", "denies answers that are kept"),
        ("breaker", "retry", "attempts go on"),
        ("retry", "split", "is recorded as an answer"),
        ("hedge", "split", "is recorded as an answer"),
        ("limit", "split", "as those of one model"),
        ("breaker", "split", "the others are not asked either"),
    ],
)
def test_what_must_not_stand_above(outer: str, inner: str, why: str) -> None:
    ((line, key, message),) = warnings(outer, inner)
    assert (line, key) == (2, "layers[0]")
    assert message.startswith(f"stands above {inner} (layers[1]): ")
    assert why in message
    assert message.endswith("Put it below.")


@pytest.mark.parametrize("layer", ["retry", "hedge"])
def test_one_is_enough(layer: str) -> None:
    ((line, key, message),) = warnings(layer, layer)
    assert (line, key) == (5, "layers[1]")
    assert message.startswith("stands below another one, layers[0]: ")


@pytest.mark.parametrize(
    ("budget", "below", "attempts"),
    [
        ("budget", ["retry"], 3),
        ("budget", ["hedge"], 2),
        ("budget", ["hedge", "retry attempts = 2"], 4),
        ("budget attempts = 2", ["retry"], 3),
        ("budget attempts = 3", ["retry"], 0),
        ("budget", ["retry attempts = 1"], 0),
    ],
)
def test_a_budget_above_what_sends_more(budget: str, below: list[str], attempts: int) -> None:
    found = warnings(budget, *below)
    assert len(found) == bool(attempts)
    for _, key, message in found:
        assert key == "layers[0]"
        assert f"may be sent {attempts} times" in message
        assert message.endswith(f"give it attempts = {attempts}.")


def test_telemetry_is_above_everything() -> None:
    """It sees what is below it alone; a deadline below it holds as if it were the first."""
    assert warnings("telemetry", "deadline", "cache") == []
    ((line, key, message),) = warnings("deadline", "telemetry")
    assert (line, key) == (5, "layers[1]")
    assert message == (
        "stands below deadline (layers[0]): it sees nothing of what that does. Put it first."
    )


def test_a_deadline_is_outermost() -> None:
    ((line, key, message),) = warnings("cache", "deadline")
    assert (line, key) == (5, "layers[1]")
    assert "does not hold for cache (layers[0])" in message
    # One for each attempt, and one inside another.
    assert warnings("retry", "deadline", "breaker") == []
    assert warnings("deadline", "cache", "deadline") == []


FAST = TABLES["tiers"] + '\nstrategy = "fast_then_accurate"'
STALE = TABLES["tiers"] + '\nlast = ["stale"]'
AWAY = """routes = [
  { name = "a", server = "http://a:8000", layers = %s },
  { name = "b", server = "http://b:8000" },
]
"""


@pytest.mark.parametrize(
    ("tiers", "cache", "warned"),
    [
        (FAST, False, "computed and thrown away"),
        (FAST, True, ""),
        (STALE, False, "never a stale answer"),
        (STALE, True, ""),
        # A route with a server of its own passes nothing that stands below.
        (AWAY % "[]" + 'strategy = "fast_then_accurate"', True, "computed and thrown away"),
        (AWAY % '["cache"]' + 'strategy = "fast_then_accurate"', False, ""),
        (AWAY % "[]" + 'last = ["stale"]', True, "never a stale answer"),
        (AWAY % '["cache"]' + 'last = ["stale"]', False, ""),
    ],
)
def test_what_needs_a_cache_below(tiers: str, cache: bool, warned: str) -> None:
    found = warnings(f"tiers {tiers}", *(["cache"] if cache else []))
    assert [warned in message for _, _, message in found] == [True] * bool(warned)


def test_routes_have_an_order_of_their_own() -> None:
    """Their layers stand above those below the tiers, unless they have their own server."""
    retried = '{ name = "%s", %slayers = ["retry"] }'
    both = retried % ("a", ""), retried % ("b", 'server = "http://b:8000", ')
    table = f"tiers routes = [\n{both[0]},\n{both[1]},\n]"
    assert warnings(table) == []
    ((line, key, message),) = warnings(table, "retry")
    assert (line, key) == (8, "layers[1]")
    assert "layers[0].routes[0].layers[0]" in message
    assert [key for _, key, _ in warnings("retry", table)] == [
        "layers[1].routes[0].layers[0]",
        "layers[1].routes[1].layers[0]",
    ]
    inner = (
        'tiers routes = [{ name = "a", layers = ["breaker", { type = "tiers", routes = [%s] }]}]'
    )
    assert warnings(inner % '{ name = "c" }, { name = "d", layers = ["cache"] }') == [
        (
            4,
            "layers[0].routes[0].layers[0]",
            warnings("breaker", "cache")[0][2].replace(
                "layers[1]", "layers[0].routes[0].layers[1].routes[1].layers[0]"
            ),
        )
    ]


def test_a_warning_is_no_error_unless_it_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("serving.toml").write_text(policy("cache", "deadline"))

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["policy", "check", "serving.toml", *arguments])
        return result.exit_code, result.stdout

    code, text = run()
    assert code == 0
    assert text.startswith("serving.toml:5: warning: layers[1]: does not hold for cache")
    assert text.count("\n") == 1
    assert run("--strict") == (1, text)
    code, text = run("--strict", "--json")
    assert code == 1
    assert '"findings": [], "warnings": [{"line": 5, "key": "layers[1]"' in text
    Path("serving.toml").write_text(policy(*ORDER))
    assert run("--strict") == (0, "serving.toml: nothing is wrong.\n")


# That it is so.


class Server(FakeTransport):
    """Its model "other" answers; all else hangs or fails from when a test says so."""

    def __init__(self) -> None:
        super().__init__(
            self._answer,
            inputs={"x": [1]},
            outputs={"y": [1]},
            config={
                "parameters": {
                    "tritonkit.model_digest": {"string_value": "A"},
                    "tritonkit.batch_invariant": {"string_value": "true"},
                }
            },
        )
        self.hangs = self.fails = False

    async def _answer(self, request: InferRequest) -> Any:
        if request.model != "other":
            await self._trouble(request.deadline)
        return {"y": request.inputs["x"]}

    async def metadata(self, model: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if model != "other":
            await self._trouble(None)
        return await super().metadata(model, *args, **kwargs)

    async def _trouble(self, deadline: float | None) -> None:
        if self.fails:
            raise ServerUnavailable("down")
        if self.hangs:
            await asyncio.sleep(60 if deadline is None else max(0, deadline - monotonic()))
            raise DeadlineExceeded("late")


async def ask(stack: Stack, x: float = 1.0, **options: Any) -> InferResponse:
    inputs = {"x": np.array([[x]], np.float32)}
    return await stack(InferRequest(model="m", inputs=inputs, **options))


def tiers(**options: Any) -> Tiers:
    return Tiers(Route("a"), Route("b", model="other"), **options)


async def test_a_cache_above_tiers_waits_for_the_first_server() -> None:
    """It hangs, the other route answers: below the tiers only."""
    for layers, answers in (([tiers(), Cache()], True), ([Cache(), tiers()], False)):
        server = Server()
        server.hangs = True
        stack = Stack(server, layers)
        call = ask(stack, deadline=monotonic() + 0.2)
        if answers:
            assert (await call).trace.tiers == ("b",)
            again = (await ask(stack, deadline=monotonic() + 0.2)).trace
            assert again.origins == ("memory",)
        else:
            with pytest.raises(DeadlineExceeded):
                await call
        await stack.aclose()


@pytest.mark.parametrize("inner", [Cache, lambda: tiers(last=[Constant({"y": 0})])])
@pytest.mark.parametrize("outer", [Budget, Breaker])
async def test_what_denies_denies_what_is_below(outer: Any, inner: Any) -> None:
    """The same two layers the other way round answer."""

    def layers() -> list[Layer]:
        first = Breaker(min_calls=1) if outer is Breaker else Budget(Quota("1 calls", window="1h"))
        return [first, inner()]

    for order, answers in ((layers()[::-1], True), (layers(), False)):
        server = Server()
        stack = Stack(server, order)
        await ask(stack)
        if outer is Breaker:
            server.fails = True
            with pytest.raises(ServerUnavailable):
                # Not kept, and no route of this model.
                await stack(_other_sequence())
        if answers:
            assert (await ask(stack))["y"].tolist() in ([[1.0]], [[0.0]])
        else:
            with pytest.raises((BudgetExceeded, CircuitOpen)):
                await ask(stack)
        await stack.aclose()


def _other_sequence() -> InferRequest:
    """It goes to the first route and nowhere else, and is never kept."""
    inputs = {"x": np.array([[2.0]], np.float32)}
    return InferRequest(model="m", inputs=inputs, parameters={"sequence_id": 1})


def test_layers_of_an_arm() -> None:
    """They are looked at as those of a route are."""
    text = policy("split", "cache").replace(
        'other" }]', 'other", layers = [{ type = "limit", fixed = 1 }, { type = "retry" }] }]'
    )
    (found,) = Policy(text).warnings
    assert found.key == "layers[0].arms[1].layers[0]"
    assert "stands above cache" in found.message


def test_layers_of_a_shadow_have_an_order_of_their_own() -> None:
    """It asks its server past the layers below, and those above do not wait for it."""
    shadow = 'shadow route = {{ name = "s", layers = [{}] }}'
    ((line, key, message),) = warnings(shadow.format('"limit", "cache"'))
    assert (line, key) == (4, "layers[0].route.layers[0]")
    assert message.startswith("stands above cache (layers[0].route.layers[1]): ")
    assert warnings("tiers", shadow.format('"limit"'), "cache", "retry", "breaker") == []
