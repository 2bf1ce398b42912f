from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.inputs.dims import Spread, chosen_dims, draw_sizes
from tritonkit.bench.inputs.generate import RequestInputs
from tritonkit.bench.inputs.values import parse_integers, parse_shape
from tritonkit.errors import ConfigError


@given(low=st.integers(0, 50), more=st.integers(0, 50), seed=st.integers(0, 9))
def test_the_tokens_of_a_request_have_one_length(sign, low: int, more: int, seed: int) -> None:
    model = sign(ids="INT64 -1", mask="INT64 -1", types="INT32 -1", v="FP32 -1")
    inputs = RequestInputs(model, seed=seed, shapes={"mask": (Spread(low, low + more),)})
    for request in inputs.generate(5, 2):
        length = request["ids"].shape[1]
        assert low <= length <= low + more
        assert request["mask"].shape == request["types"].shape == (2, length)
        # No token by its type: a size of its own.
        assert request["v"].shape == (2, 16)


def test_a_spread_reaches_both_of_its_ends_and_repeats_with_the_seed(sign) -> None:
    model = sign(ids="INT64 -1")

    def lengths(seed: int) -> list[int]:
        inputs = RequestInputs(model, seed=seed, shapes={"ids": (Spread(3, 5),)})
        return [request["ids"].shape[1] for request in inputs.generate(64)]

    assert set(lengths(0)) == {3, 4, 5}
    assert lengths(0) == lengths(0) != lengths(1)


def test_values_do_not_depend_on_the_sizes_of_other_inputs(sign) -> None:
    model = sign(v="FP32 4", ids="INT64 -1")
    plain = [r["v"].tolist() for r in RequestInputs(model).generate(1)]
    spread = RequestInputs(model, shapes={"ids": (Spread(8, 99),)})
    assert [r["v"].tolist() for r in spread.generate(1)] == plain


def test_the_same_spread_is_one_size_across_inputs_and_two_inside_one() -> None:
    rng = np.random.default_rng(0)
    spread = Spread(1, 1000)
    drawn = draw_sizes({"a": (spread, 768), "b": (spread,), "c": (spread, spread)}, rng)
    assert drawn["a"] == (drawn["b"][0], 768)
    assert drawn["c"][0] == drawn["b"][0] != drawn["c"][1]


def test_a_shape_of_their_own_is_kept(sign) -> None:
    model = sign(ids="INT64 -1", mask="INT64 -1", types="INT64 -1")
    dims = chosen_dims(tuple(model.inputs.values()), {"ids": (8,), "mask": (9,)})
    assert dims == {"ids": (8,), "mask": (9,), "types": (8,)}


def test_a_spread_where_the_model_has_a_size_is_refused(sign) -> None:
    with pytest.raises(ConfigError, match=r"'x' must fit \[4\].* but got \[1\.\.4\]"):
        RequestInputs(sign(x="FP32 4"), shapes={"x": (Spread(1, 4),)})


def test_a_spread_is_read() -> None:
    assert parse_shape("emb:8..128,768") == ("emb", (Spread(8, 128), 768))
    with pytest.raises(ConfigError, match=r"from the smaller to the larger.*9\.\.8"):
        parse_shape("x:9..8")
    for wrong in ("x:1..", "x:..2", "x:1...2", "x:a..b"):
        with pytest.raises(ConfigError, match="NAME:DIMS"):
            parse_shape(wrong)


def test_a_range_of_integers_is_read() -> None:
    assert parse_integers("input:ids:-5..30522") == ("input:ids", (-5, 30522))
    for wrong in ("ids", "ids:5", "ids:a..b", ":0..5", "ids:1.5..3"):
        with pytest.raises(ConfigError, match=r"NAME:0\.\.30522"):
            parse_integers(wrong)
    with pytest.raises(ConfigError, match=r"holds one at least, but got 'ids:5\.\.5'"):
        parse_integers("ids:5..5")


@pytest.mark.parametrize("datatype", ["INT8", "UINT8", "INT32", "INT64", "UINT64"])
def test_integers_lie_in_their_range_up_to_the_types_own(sign, datatype: str) -> None:
    info = np.iinfo(datatype.lower())
    model = sign(x=f"{datatype} 500", y=f"{datatype} 4")
    inputs = RequestInputs(model, integers={"x": (int(info.max) - 2, int(info.max) + 1)})
    made = next(inputs.generate(1))
    # 500 draws out of 3 leave one out with a probability of 3 * (2/3)^500.
    assert {int(n) for n in made["x"].ravel()} == {info.max - 2, info.max - 1, info.max}
    assert set(made["y"].ravel().tolist()) <= {0, 1}
    assert f"random, {info.max - 2} to {info.max}" in inputs.describe()["x"]


def test_integers_that_do_not_fit_are_refused(sign) -> None:
    with pytest.raises(ConfigError, match=r"'x' \(INT8\) must lie in -128\.\.128.* 0\.\.300"):
        RequestInputs(sign(x="INT8 4"), integers={"x": (0, 300)})
    with pytest.raises(ConfigError, match="'x' is FP32: a range of integers does not fit"):
        RequestInputs(sign(x="FP32 4"), integers={"x": (0, 3)})
    with pytest.raises(ConfigError, match="'x' are given by a range, and as values"):
        RequestInputs(sign(x="INT8 1"), integers={"x": (0, 3)}, values={"x": [[1]]})
    with pytest.raises(ConfigError, match="no input 'z'; it takes x"):
        RequestInputs(sign(x="INT8 1"), integers={"z": (0, 3)})


@given(datatype=st.sampled_from(["FP32", "FP16", "BF16", "INT64", "BOOL", "UINT8"]))
def test_zeros_are_zero_in_every_type(sign, datatype: str) -> None:
    inputs = RequestInputs(sign(x=f"{datatype} 3", t="BYTES 1"), zero=True)
    made = next(inputs.generate(1))
    assert not any(made["x"].tobytes())
    assert made["t"][0, 0]
    assert inputs.describe()["x"] == f"{datatype} [batch, 3], zeros"


def test_no_built_in_text_comes_twice(sign) -> None:
    inputs = RequestInputs(sign(t="BYTES 1"))
    texts = [text for request in inputs.generate(100, 8) for text in request["t"].ravel()]
    assert len(set(texts)) == len(texts) == 800


def test_what_comes_from_elsewhere_is_not_made(sign) -> None:
    inputs = RequestInputs(sign(x="FP32 1", y="FP32 1"), without=("x",))
    assert list(next(inputs.generate(1))) == ["y"]
    assert list(inputs.describe()) == ["y"]


def test_given_values_say_how_long_their_companions_are(sign) -> None:
    model = sign(ids="INT64 -1", mask="INT64 -1")
    made = next(RequestInputs(model, values={"ids": [[1, 2, 3]]}).generate(1))
    assert made["mask"].shape == (1, 3)


@given(lengths=st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_what_is_made_beside_a_file_is_as_long_as_the_files(sign, lengths: list[int]) -> None:
    model = sign(ids="INT64 -1", mask="INT64 -1", own="INT64 -1")
    inputs = RequestInputs(model, without=("ids",), shapes={"own": (7,)})
    assert inputs.describe() == {
        "mask": "INT64 [batch, tokens], random, 0 or 1, dynamic dimensions set",
        "own": "INT64 [batch, 7], random, 0 or 1, dynamic dimensions set",
    }
    make = inputs.stream(2)
    for length in lengths:
        made = make(length)
        assert made["mask"].shape == (2, length)
        assert made["own"].shape == (2, 7)
    assert make(None)["mask"].shape == (2, 7)
