"""What models call at any depth: as a walk from each of them says, and in one walk for all."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.repository.check.case import Files, write_files
from tests.repository.check.cases.ensemble_config import adder, ensemble, step

from tritonkit.repository import check_repository
from tritonkit.repository.check.neighbours import Neighbours
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.ensemble.call_graph import CallGraph
from tritonkit.repository.ensemble.circles import circle_through, reached


@pytest.mark.parametrize("order", [1, -1])
def test_as_a_walk_from_each_model_says(order: int):
    random_ = random.Random(7)
    for _ in range(200):
        names = [str(n) for n in range(random_.randint(1, 9))]
        called = {one: random_.choices(names, k=random_.choice([0, 0, 1, 1, 2])) for one in names}
        marked = random_.choice(names)
        graph = CallGraph(
            lambda name, called=called: called.get(name, []),  # type: ignore[misc]
            lambda name, marked=marked: frozenset({"it"} if name == marked else ()),  # type: ignore[misc]
        )
        for name in names[::order]:
            all_below = reached(name, called.__getitem__)
            below = graph.below(name)
            assert below.in_circle == bool(circle_through(name, called.__getitem__))
            assert below.to_circle == any(
                circle_through(one, called.__getitem__) for one in all_below
            )
            assert below.marks == ({"it"} if marked in all_below else set())


def test_nesting_is_as_deep_as_it_likes():
    graph = CallGraph(lambda n: [str(int(n) + 1)] if int(n) < 20_000 else [], lambda _: frozenset())
    assert not graph.below("0").to_circle


def test_each_call_is_looked_at_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In ensembles that call one another in a long chain, models are asked for as often each."""
    asked = 0
    get = Neighbours.get

    def counted(self: Neighbours, name: str) -> Subject | None:
        nonlocal asked
        asked += 1
        return get(self, name)

    monkeypatch.setattr(Neighbours, "get", counted)
    counts = []
    for depth in (20, 80):
        files: Files = dict(adder("e0"))
        for number in range(1, depth + 1):
            call = step(f"e{number - 1}", {"x": "x"}, {"y": "y"})
            tensors = {"x": "data_type: TYPE_FP32 dims: 4"}, {"y": "data_type: TYPE_FP32 dims: 4"}
            config = ensemble(call, inputs=tensors[0], outputs=tensors[1])
            files |= {f"e{number}/1/": "", f"e{number}/config.pbtxt": config}
        write_files(tmp_path / str(depth), files)
        asked = 0
        assert check_repository(tmp_path / str(depth)).findings == ()
        counts.append(asked)
    assert counts[1] < 5 * counts[0]
