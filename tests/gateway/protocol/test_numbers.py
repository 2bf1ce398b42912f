"""Floating-point numbers are read and written as Triton reads and writes them."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonkit.gateway.protocol.grisu import write_float, write_floats
from tritonkit.gateway.protocol.numbers import read_float

if TYPE_CHECKING:
    from conftest import Ask

RNG = np.random.default_rng(0)
WRITTEN = {
    "any bits": RNG.integers(0, 2**64, 20000, dtype=np.uint64).view(np.float64),
    "any float32": RNG.integers(0, 2**32, 20000, dtype=np.uint32).view(np.float32),
    "embedding": RNG.standard_normal(5000).astype(np.float32),
    "shares": RNG.random(5000),
    "few digits": np.round(RNG.standard_normal(3000) * 1000, 3),
    "integers": RNG.integers(-(10**9), 10**9, 1000).astype(np.float64),
    "subnormal": RNG.integers(0, 2**52, 1000, dtype=np.uint64).view(np.float64),
    "powers": np.concatenate([2.0 ** np.arange(-1074, 1024), 10.0 ** np.arange(-307, 309)]),
    "ends": np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1.7976931348623157e308]),
}


@pytest.mark.parametrize("numbers", WRITTEN.values(), ids=WRITTEN)
def test_written(ask: Ask, numbers: NDArray[np.floating]) -> None:
    datatype = "FP32" if numbers.dtype == np.float32 else "FP64"
    tensor = {
        "name": f"IN_{datatype}",
        "shape": [1, len(numbers)],
        "datatype": datatype,
        "parameters": {"binary_data_size": numbers.nbytes},
    }
    asked = {"inputs": [tensor], "outputs": [{"name": f"OUT_{datatype}"}]}
    head = json.dumps(asked).encode()
    said = ask.direct(head + numbers.tobytes(), len(head)).body
    theirs = said[said.index(b'"data":[') + 7 : said.rindex(b"}]}")]
    assert write_floats(numbers) == theirs
    few = numbers[:200].tolist()
    assert list(map(write_float, few)) == theirs.decode()[1:-1].split(",")[: len(few)]


def tokens() -> list[str]:
    rng = random.Random(0)
    values = [*WRITTEN["any bits"][:3000].tolist(), *WRITTEN["shares"][:3000].tolist()]
    found = [repr(value) for value in values if math.isfinite(value)]
    found += [repr(value) for value in WRITTEN["embedding"][:2000].astype(np.float64).tolist()]
    for _ in range(10000):
        whole = str(rng.randrange(10 ** rng.randrange(1, 19)))
        part = "".join(rng.choices("0123456789", k=rng.randrange(1, 30)))
        zeros = "0" * rng.randrange(20)
        exponent = rng.choice(["", "", f"e{rng.randrange(-400, 280)}", f"E+{rng.randrange(250)}"])
        found += [f"{rng.choice(['', '-'])}{whole}.{part}{exponent}", f"0.{zeros}{part}{exponent}"]
    return found


def test_read(ask: Ask) -> None:
    """Those that are not refused here are read to the last bit as there."""
    numbers: list[str] = []
    values: list[float] = []
    for token in tokens():
        try:
            values.append(read_float(token))
        except ValueError:
            continue
        numbers.append(token)
    assert len(numbers) > 20000
    tensor = (
        f'{{"name":"IN_FP64","shape":[1,{len(numbers)}],"datatype":"FP64",'
        f'"data":[{",".join(numbers)}]}}'
    )
    output = '{"name":"OUT_FP64","parameters":{"binary_data":true}}'
    reply = ask.direct(f'{{"inputs":[{tensor}],"outputs":[{output}]}}'.encode())
    assert reply.length is not None
    theirs = np.frombuffer(reply.body[int(reply.length) :], np.uint64)
    ours = np.array(values).view(np.uint64)
    wrong = np.flatnonzero(theirs != ours)
    assert [numbers[place] for place in wrong] == []


@pytest.mark.parametrize("token", ["1e400", "1.8e308", f"1.{'0' * 1000}", f"{2**64}.5", "1e9999"])
def test_what_is_not_read(token: str) -> None:
    with pytest.raises(ValueError, match=r"digits|large"):
        read_float(token)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_is_the_number(value: float) -> None:
    assert abs(float(write_float(value)) - value) <= 2 * math.ulp(value)
    assert list(map(write_float, [value] * 50)) == write_floats(np.array([value] * 50)).decode()[
        1:-1
    ].split(",")
