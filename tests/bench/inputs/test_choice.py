from __future__ import annotations

from dataclasses import replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest

from tritonkit.bench.inputs import budget
from tritonkit.bench.inputs.budget import tensors_bytes, within
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.inputs.dims import Spread
from tritonkit.bench.inputs.expectation import Tolerances
from tritonkit.bench.inputs.files import Source
from tritonkit.bench.inputs.generate import RequestInputs
from tritonkit.bench.inputs.model_inputs import ModelInputs
from tritonkit.bench.inputs.popularity import Zipf
from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.errors import ConfigError


def rows(folder: Path, count: int, name: str = "x.npy") -> Source:
    np.save(folder / name, np.arange(count, dtype=np.float32)[:, np.newaxis])
    return Source(path=folder / name)


def test_without_a_word_it_is_what_it_always_was(sign) -> None:
    model = sign(x="FP32 4", t="BYTES 1")
    workload = InputChoice().workload(model, batch_size=2, seed=5)
    expected = list(RequestInputs(model, seed=5).generate(64, 2))
    assert len(workload.items) == 64
    for item, tensors in zip(workload.items, expected, strict=True):
        assert {n: a.tolist() for n, a in item.inputs.items()} == {
            n: a.tolist() for n, a in tensors.items()
        }
    assert workload.describe() == {
        "inputs": {
            "x": "FP32 [batch, 4], random, uniform in [0, 1)",
            "t": "BYTES [batch, 1], 84 texts in shuffled order",
        },
        "distinct_requests": 64,
        "popularity": "in turn",
    }


def test_a_workload_goes_to_other_processes(sign, tmp_path: Path) -> None:
    source = rows(tmp_path, 3)
    np.savez(tmp_path / "y.npz", y=np.ones((3, 1)))
    model = sign(model="a", x="FP32 1", outputs={"y": "FP32 1"})
    choice = InputChoice(
        inputs=ModelInputs(sources=[source], expected=tmp_path / "y.npz"),
        popularity=Zipf(1),
        shares={"a": 1, "b": 2},
    )
    workload = choice.workload(model, others=[replace(model, model="b")])
    copy: Workload = ForkingPickler.loads(ForkingPickler.dumps(workload))
    assert [item.model for item in copy.items] == ["a"] * 3 + ["b"] * 3
    check = copy.items[0].check
    assert check is not None
    assert check({"y": np.float32([[2]])}) == "output 'y' at [0, 0]: expected 1, but got 2"
    assert next(copy.order(6, 5)).tolist() == next(workload.order(6, 5)).tolist()


def test_how_many_requests_there_are(sign, tmp_path: Path) -> None:
    model = sign(x="FP32 1")
    file = ModelInputs(sources=[rows(tmp_path, 100)])

    def count(inputs: ModelInputs, distinct: int | None = None, *, popular: bool = False) -> int:
        choice = InputChoice(
            inputs=inputs, distinct=distinct, popularity=Zipf(1) if popular else None
        )
        return len(choice.workload(model, batch_size=2).items)

    assert count(ModelInputs()) == 64
    assert count(ModelInputs(), popular=True) == 10_000
    assert count(ModelInputs(), 7) == count(ModelInputs(), 7, popular=True) == 7
    assert count(file) == count(file, popular=True) == 50
    assert count(file, 7) == 7
    with pytest.raises(ConfigError, match=r"there cannot be 51 .* 100 rows, 50 requests of batch"):
        count(file, 51)
    with pytest.raises(ConfigError, match="distinct must be 1 to 1,000,000, but got 0"):
        count(file, 0)


def test_the_description_says_how_much_of_a_file_is_sent(sign, tmp_path: Path) -> None:
    source = rows(tmp_path, 100)
    choice = InputChoice(inputs=ModelInputs(sources=[source]), distinct=10)
    workload = choice.workload(sign(x="FP32 1"), batch_size=2)
    assert workload.description == {"x": f"FP32 [-1, 1], 20 of 100 rows of {source.path}"}


def test_a_batch_that_the_model_does_not_take_is_refused(sign, tmp_path: Path) -> None:
    for inputs in (ModelInputs(), ModelInputs(sources=[rows(tmp_path, 20)])):
        with pytest.raises(ConfigError, match=r"batch size must be 1 to 8 .* but got 9"):
            InputChoice(inputs=inputs).workload(sign(x="FP32 1"), batch_size=9)


def test_large_inputs_are_fewer(sign, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [Item(inputs={"x": np.zeros(10, np.uint8)}) for _ in range(5)]
    assert [len(within(items, size)) for size in (0, 10, 19, 20, 49, 50, 99)] == [
        1, 1, 1, 2, 4, 5, 5,
    ]  # fmt: skip
    assert tensors_bytes({"t": np.array([["abc", b"de"]], dtype=object)}) == 5
    assert budget.MAX_BYTES == 256 * 10**6
    monkeypatch.setattr("tritonkit.bench.inputs.model_inputs.MAX_BYTES", 256)
    model = sign(x="UINT8 100")
    assert len(InputChoice().workload(model).items) == 2
    with pytest.raises(ConfigError, match=r"3 distinct requests are more than 256B.*: 2 fit"):
        InputChoice(distinct=3).workload(model)


def test_what_is_given_twice_is_refused(sign, tmp_path: Path) -> None:
    source = rows(tmp_path, 3)
    model = sign(x="FP32 1", t="BYTES 1", n="INT64 1")
    (tmp_path / "t.txt").write_text("one\n")
    texts = Source(path=tmp_path / "t.txt")

    def made(**options: object) -> None:
        ModelInputs(**options).workload(model)  # type: ignore[arg-type]  # of several types

    named = Source(path=source.path, name="x")
    with pytest.raises(ConfigError, match=r"'x' is given by .*x.npy and by values as well"):
        made(sources=[named], values={"x": [[1.0]]})
    integers = rows(tmp_path, 3, "n.npy")
    np.save(integers.path, np.array([[1]]))
    with pytest.raises(ConfigError, match=r"'n' is given by .*n.npy and by a range as well"):
        made(sources=[Source(path=integers.path, name="n")], integers={"n": (0, 5)})
    with pytest.raises(ConfigError, match=r"texts are given, but .*t.txt has all text inputs"):
        made(sources=[texts], texts=["one"])
    # For another input they are welcome.
    made(sources=[named], texts=["one"], integers={"n": (0, 5)})
    made(sources=[named], values={"n": [[1]]}, zero=True)


def test_a_scaling_without_a_picture_is_refused(tmp_path: Path) -> None:
    inputs = ModelInputs(sources=[rows(tmp_path, 3)], scaling="unit")
    with pytest.raises(ConfigError, match=r"a scaling of pictures \(unit\) is given, but no"):
        InputChoice(inputs=inputs)


def test_a_tolerance_needs_its_output_and_an_expectation(sign, tmp_path: Path) -> None:
    model = sign(x="FP32 1", outputs={"y": "FP32 1"})
    for name, message in (("z", "'z', but the outputs are y"), ("y", "no file says what to")):
        inputs = ModelInputs(tolerances=Tolerances(rtol={name: 0.1}))
        with pytest.raises(ConfigError, match=message):
            InputChoice(inputs=inputs).workload(model)


def test_the_models_of_a_mix_have_what_fits_them(sign, tmp_path: Path) -> None:
    embed = sign(model="embed", ids="INT64 -1", t="BYTES 1")
    rerank = sign(model="rerank", pair="INT64 -1", score="FP32 1", outputs={"y": "FP32 1"})
    choice = InputChoice(
        inputs=ModelInputs(
            shapes={"ids": (Spread(4, 4),), "pair": (5,)},
            values={"score": [[7.0]]},
            texts=["hello"],
            integers={"ids": (9, 10)},
        ),
        by_model={"rerank": ModelInputs(shapes={"pair": (6,)}, integers={"pair": (8, 9)})},
        shares={"embed": 3, "rerank": 1},
    )
    assert choice.models == ("embed", "rerank")
    for first, second in ((embed, rerank), (rerank, embed)):
        workload = choice.workload(first, others=[second])
        a, b = workload.items
        assert (a.model, b.model) == ("embed", "rerank")
        assert a.inputs["ids"].tolist() == [[9] * 4]
        assert a.inputs["t"].tolist() == [["hello"]]
        assert b.inputs["pair"].tolist() == [[8] * 6]
        assert b.inputs["score"].tolist() == [[7]]
    assert workload.description["rerank: pair"].startswith("INT64 [batch, 6], random, 8 to 8")
    own = rows(tmp_path, 3)
    choice = InputChoice(
        by_model={"rerank": ModelInputs(sources=[Source(path=own.path, name="score")])},
        shares={"embed": 1, "rerank": 1},
    )
    workload = choice.workload(embed, others=[rerank])
    assert [item.model for item in workload.items].count("rerank") == 3


def test_a_mix_without_one_of_its_models_is_refused(sign) -> None:
    embed, rerank = sign(model="embed", x="FP32 1"), sign(model="rerank", x="FP32 1")
    choice = InputChoice(shares={"embed": 1, "rerank": 1})
    with pytest.raises(ConfigError, match="'m' is not in the mix of embed, rerank"):
        choice.workload(sign(x="FP32 1"), others=[embed, rerank])
    with pytest.raises(ConfigError, match="needs the signature of model 'rerank' as well"):
        choice.workload(embed)
    with pytest.raises(ConfigError, match="'other' has inputs of its own, but no share"):
        InputChoice(by_model={"other": ModelInputs()}, shares={"embed": 1})
    choice = InputChoice(inputs=ModelInputs(shapes={"z": (1,)}), shares={"embed": 1, "rerank": 1})
    with pytest.raises(ConfigError, match="no model of the mix has an input 'z'; they take x"):
        choice.workload(embed, others=[rerank])
