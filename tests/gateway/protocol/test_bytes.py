"""What goes through decode, a transport and encode is what Triton itself answers, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client.wire.datatypes import DATATYPES
from tritonkit.gateway.protocol.asked import Opaque

if TYPE_CHECKING:
    from conftest import Ask

SIZES = {name: dtype.itemsize for name, dtype in DATATYPES.items()} | {"BF16": 2}
INTEGERS = {name: np.iinfo(dtype) for name, dtype in DATATYPES.items() if dtype.kind in "iu"}


def floats(token: Callable[[float], str]) -> st.SearchStrategy[str]:
    return st.floats(width=64).filter(np.isfinite).map(token)


VALUES = {
    "BOOL": st.sampled_from(["true", "false"]),
    "BYTES": st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(json.dumps)
    | st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    "FP16": st.just("1"),
    "BF16": st.just("1"),
}
VALUES |= {
    name: st.integers(min(2 * int(info.min), -5), 2 * int(info.max)).map(str)
    for name, info in INTEGERS.items()
}
VALUES |= dict.fromkeys(
    ("FP32", "FP64"),
    floats(repr)
    | floats(lambda x: f"{x:.25e}")
    | floats(lambda x: f"{x:.3E}")
    | st.decimals(-1000, 1000, places=20).map(str)
    | st.integers(-(2**65), 2**65).map(str)
    | st.sampled_from(["NaN", "Infinity", "-Infinity", "Inf", "-0", "-0.0", "1e400", "1e-400"]),
)


@st.composite
def tensor(draw: st.DrawFn, datatype: str) -> tuple[dict[str, Any], str | bytes]:
    """One input without its values, and these: as JSON, or as bytes."""
    shape = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    count = shape[0] * shape[1]
    # STRING is what a configuration calls BYTES.
    name = f"IN_{'STRING' if datatype == 'BYTES' else datatype}"
    head = {"name": name, "shape": list(shape), "datatype": datatype}
    if draw(st.booleans()):
        values = draw(st.lists(VALUES[datatype], min_size=count, max_size=count))
        if draw(st.booleans()) and values:
            return head, f"[[{values[0]}],{','.join(['[]', *values[1:]])}]"
        return head, f"[{','.join(values)}]"
    if datatype == "BYTES":
        items = draw(st.lists(st.binary(max_size=8), min_size=count, max_size=count))
        data = b"".join(len(item).to_bytes(4, "little") + item for item in items)
    elif datatype == "BOOL":
        data = bytes(draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)))
    else:
        size = count * SIZES[datatype]
        data = draw(st.binary(min_size=size, max_size=size))
    return head, data


FORMS = [{}, {"parameters": {"binary_data": True}}, {"parameters": {"binary_data": False}}]


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, int | None]:
    datatypes = draw(st.lists(st.sampled_from(sorted(DATATYPES)), max_size=3, unique=True))
    inputs, data = [], b""
    for head, values in [draw(tensor(datatype)) for datatype in datatypes or ["FP32"]]:
        text = json.dumps(head)[:-1]
        if isinstance(values, str):
            inputs.append(f'{text},"data":{values}}}')
        else:
            inputs.append(f'{text},"parameters":{{"binary_data_size":{len(values)}}}}}')
            data += values
    fields = [f'"inputs":[{",".join(inputs)}]']
    if draw(st.booleans()):
        names = [one.split('"')[3].replace("IN_", "OUT_") for one in inputs]
        outputs: list[dict[str, Any]] = [
            {"name": name} | draw(st.sampled_from(FORMS))
            for name in draw(st.permutations([*names, "PARAMETERS"]))[: draw(st.integers(0, 4))]
        ]
        fields.append(f'"outputs":{json.dumps(outputs)}')
    if draw(st.booleans()):
        parameters = draw(
            st.dictionaries(
                st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
                st.integers(-(2**63), 2**63 - 1)
                | st.booleans()
                | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
                | st.floats(allow_nan=False, allow_infinity=False),
                max_size=3,
            )
        )
        if draw(st.booleans()):
            parameters["binary_data_output"] = draw(st.booleans())
        fields.append(f'"parameters":{json.dumps(parameters)}')
    if draw(st.booleans()):
        text = draw(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6))
        fields.insert(draw(st.integers(0, len(fields))), f'"id":{json.dumps(text)}')
    head = "{" + ",".join(fields) + "}"
    length = len(head.encode())
    return head.encode() + data, length if data or draw(st.booleans()) else None


@settings(max_examples=200, derandomize=True)
@given(requests())
def test_every_request(ask: Ask, request: tuple[bytes, int | None]) -> None:
    direct = ask.direct(*request)
    through = ask.through(*request)
    if isinstance(through, Opaque):
        # Whoever lets wrong requests pass a budget relies on it.
        assert direct.status >= 400 or not through.wrong
        return
    assert through == direct
