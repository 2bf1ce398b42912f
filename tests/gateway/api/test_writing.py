"""A long answer is written as json has it, and not by the event loop."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.gateway.api import entrance, jobs, writing

if TYPE_CHECKING:
    from tests.gateway.api.conftest import Start

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=100)
@given(VALUES, st.integers(1, 5))
def test_it_is_what_json_writes(value: Any, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "LONG", piece)
        assert writing.to_json(value) == json.dumps(value, separators=(",", ":")).encode()


def test_a_number_that_json_has_not_is_refused() -> None:
    for value in (float("nan"), [float("inf")], [0.0] * 5000 + [float("nan")]):
        with pytest.raises(ValueError, match="not JSON compliant"):
            writing.to_json(value)


async def test_what_takes_long_is_done_in_a_thread(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others wait for the event loop, by whatever piece of work it is held."""
    loop = threading.get_ident()
    here: list[tuple[str, bool]] = []
    for module, name in (
        (entrance, "to_json"),
        (jobs, "read_inputs"),
        (jobs, "written"),
    ):
        real = getattr(module, name)

        def noted(value: Any, name: str = name, real: Any = real) -> Any:
            here.append((name, threading.get_ident() == loop))
            return real(value)

        monkeypatch.setattr(module, name, noted)
    ask = await start()
    for rows, short in ((1, True), (40_000, False)):
        here.clear()
        values = [[0.25] * rows]
        said = await ask("POST", "/api/jobs", {"model": "echo", "inputs": {"IN_FP64": values}})
        assert said.status == 202, said
        found = (await ask("GET", f"{said.json['url']}?wait=20s")).json
        assert found["result"]["outputs"][0]["data"] == values[0]
        assert here == [
            ("read_inputs", short),
            # Of the job's id.
            ("to_json", True),
            ("written", short),
            ("to_json", short),
        ]
