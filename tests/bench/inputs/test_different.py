from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.inputs.different import different
from tritonkit.bench.inputs.model_inputs import ModelInputs
from tritonkit.bench.inputs.popularity import Zipf
from tritonkit.errors import ConfigError


@given(values=st.lists(st.integers(0, 5), max_size=60), count=st.integers(0, 8))
def test_what_was_there_before_is_left_out(values: list[int], count: int) -> None:
    found = different(({"x": np.array([value])} for value in values), count)
    assert [int(inputs["x"][0]) for inputs in found] == list(dict.fromkeys(values))[:count]


def test_requests_differ_by_name_type_shape_and_text() -> None:
    requests = [
        {"x": np.zeros((1, 4), np.float32)},
        {"y": np.zeros((1, 4), np.float32)},
        {"x": np.zeros((1, 4), np.int32)},
        {"x": np.zeros((2, 2), np.float32)},
        {"x": np.array(["ab", "c"], dtype=object)},
        {"x": np.array(["a", "bc"], dtype=object)},
    ]
    assert list(different(requests * 2, 99)) == requests


def test_it_ends_where_nothing_new_comes() -> None:
    endless = iter(lambda: {"x": np.zeros(1)}, None)
    assert len(list(different(endless, 2))) == 1


def test_what_is_called_distinct_is_distinct(sign) -> None:
    def count(inputs: ModelInputs, distinct: int | None = None, **model: str) -> int:
        workload = inputs.workload(sign(**model), distinct=distinct, popularity=Zipf(1))
        return len(workload.items)

    assert count(ModelInputs(zero=True), x="FP32 4") == 1
    assert count(ModelInputs(), x="INT64 2") == 4
    assert count(ModelInputs(values={"x": [[1], [2], [3]]}), x="INT64 1") == 3
    assert count(ModelInputs(texts=["a", "b"]), x="BYTES 1") == 2
    assert count(ModelInputs(), 500, x="BYTES 1") == 500
    with pytest.raises(ConfigError, match=r"cannot be 5 distinct requests: .* there are 4"):
        count(ModelInputs(), 5, x="INT64 2")
