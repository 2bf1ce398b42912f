"""
Whoever asks the gateway gets what Triton would have said, byte for byte, errors as well.

Each case is asked directly and twice through a gateway: the second answer may be a kept one.
"""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as sync
import tritonclient.http.aio as aio
from numpy.typing import NDArray
from tests.gateway.running import running_gateway
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

if TYPE_CHECKING:
    from conftest import Triton

# In the order that is recommended; what may be told apart by an answer is on.
POLICY = """
[[layers]]
type = "deadline"
timeout = "20s"
[[layers]]
type = "shadow"
route = { name = "copy" }
share = "100%"
[[layers]]
type = "tiers"
routes = [{ name = "first" }, { name = "second" }]
[[layers]]
type = "cache"
stale_if_error = "1h"
[[layers]]
type = "coalesce"
[[layers]]
type = "hedge"
[[layers]]
type = "retry"
attempts = 2
[[layers]]
type = "budget"
quotas = [{ limit = "1000000 calls", window = "1h" }]
costs = { type = "costs", default = { row = "0.001" } }
[[layers]]
type = "limit"
[[layers]]
type = "breaker"
min_calls = 100000
"""


@pytest.fixture(scope="module", params=["no layers", "all layers"])
def gateway(
    request: pytest.FixtureRequest, triton: Triton, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Host and port of one."""
    policy = POLICY if request.param == "all layers" else ""
    folder = tmp_path_factory.mktemp("gateway")
    with running_gateway(policy, upstream=triton.http, folder=folder) as running:
        yield running.target


# What is asked over raw HTTP.


class Raw(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


SEEN = ("Content-Type", "Inference-Header-Content-Length", "Content-Encoding")


def raw(
    target: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Raw:
    connection = http.client.HTTPConnection(target, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        seen = {name: reply.headers[name] for name in SEEN if reply.headers[name]}
        return Raw(reply.status, seen, reply.read())
    finally:
        connection.close()


X = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2.5, -3, 0.1]}
INFER = "/v2/models/doubles/infer"


def body(**fields: Any) -> bytes:
    return json.dumps({"inputs": [X]} | fields).encode()


def x(**fields: Any) -> bytes:
    return body(inputs=[X | fields])


def echo(*inputs: tuple[str, str, str], shape: str = "[1,1]") -> bytes:
    written = [
        f'{{"name":"{name}","shape":{shape},"datatype":"{datatype}","data":{data}}}'
        for name, datatype, data in inputs
    ]
    return f'{{"inputs":[{",".join(written)}]}}'.encode()


def moody(code: str) -> bytes:
    return echo(("seconds", "FP32", "[0]"), ("error", "BYTES", f'["{code}"]'))


SIZED = {"name": "x", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}}
HEAD = json.dumps({"inputs": [SIZED]}).encode()
BINARY = HEAD + np.arange(4, dtype=np.float32).tobytes()
LENGTH = {"Inference-Header-Content-Length": str(len(HEAD))}
ALL = {"parameters": {"binary_data": True}}

REQUESTS: dict[str, tuple[Any, ...]] = {
    "live": ("GET", "/v2/health/live"),
    "ready": ("GET", "/v2/health/ready"),
    "server": ("GET", "/v2"),
    "metadata": ("GET", "/v2/models/doubles"),
    "metadata of a version": ("GET", "/v2/models/doubles/versions/1"),
    "metadata of no model": ("GET", "/v2/models/nope"),
    "config": ("GET", "/v2/models/doubles/config"),
    "model ready": ("GET", "/v2/models/doubles/ready"),
    "model not ready": ("GET", "/v2/models/idle/ready"),
    "no model ready": ("GET", "/v2/models/nope/ready"),
    "index": ("POST", "/v2/repository/index"),
    "index of the ready": ("POST", "/v2/repository/index", b'{"ready":true}'),
    "no path": ("GET", "/v2/nothing"),
    "another method": ("GET", INFER),
    "JSON": ("POST", INFER, body()),
    "JSON with an id": ("POST", INFER, body(id="a/b\n\u00e9")),
    "a version": ("POST", "/v2/models/doubles/versions/1/infer", body()),
    "parameters": ("POST", INFER, body(parameters={"b": 1, "a": "x", "c": True, "d": 1.5})),
    "a timeout": ("POST", INFER, body(parameters={"timeout": 10_000_000})),
    "one output": ("POST", INFER, body(outputs=[{"name": "y"}])),
    "one output in binary": ("POST", INFER, body(outputs=[{"name": "y"} | ALL])),
    "all in binary": ("POST", INFER, body(parameters={"binary_data_output": True})),
    "binary": ("POST", INFER, BINARY, LENGTH),
    "many rows": ("POST", INFER, x(shape=[16, 4], data=list(range(64)))),
    "no rows": ("POST", INFER, x(shape=[0, 4], data=[])),
    "kept by row": ("POST", "/v2/models/keeps/infer", x(shape=[2, 4], data=list(range(8)))),
    "texts": (
        "POST",
        "/v2/models/lengths/infer",
        echo(("text", "BYTES", '["a","\\u20ac","\\ud83d\\ude00"]'), shape="[3,1]"),
    ),
    "every number": (
        "POST",
        "/v2/models/echo/infer",
        echo(
            ("IN_FP64", "FP64", "[0.1,1e-7,NaN,Infinity,-0.0,123456.789012345678]"),
            ("IN_FP32", "FP32", "[0.1,1e-7,NaN,-Infinity,-0,1e39]"),
            ("IN_INT8", "INT8", "[300,-129,1,2,3,4]"),
            ("IN_UINT64", "UINT64", "[18446744073709551615,1,2,3,4,5]"),
            ("IN_STRING", "BYTES", '["\\u0000","\\"","\\\\/","\\u001f\x7f","\u00e9",""]'),
            ("IN_BOOL", "BOOL", "[true,false,true,true,false,true]"),
            shape="[2,3]",
        ),
    ),
    "a byte order mark": ("POST", INFER, b"\xef\xbb\xbf" + body()),
    "an unknown field": ("POST", INFER, body(other=1)),
    "classes": ("POST", INFER, body(outputs=[{"name": "y", "parameters": {"classification": 2}}])),
    "a sequence": ("POST", INFER, body(parameters={"sequence_id": 7, "sequence_start": True})),
    # What is wrong.
    "unknown model": ("POST", "/v2/models/nope/infer", body()),
    "unknown version": ("POST", "/v2/models/doubles/versions/7/infer", body()),
    "a model that is not loaded": ("POST", "/v2/models/idle/infer", body()),
    "unknown input": ("POST", INFER, x(name="z")),
    "one input too many": ("POST", INFER, body(inputs=[X, X | {"name": "z"}])),
    "no input": ("POST", INFER, body(inputs=[])),
    "unknown output": ("POST", INFER, body(outputs=[{"name": "z"}])),
    "wrong shape": ("POST", INFER, x(shape=[1, 3], data=[1, 2, 3])),
    "wrong rank": ("POST", INFER, x(shape=[4])),
    "too many rows": ("POST", INFER, x(shape=[17, 4], data=[0] * 68)),
    "wrong datatype": ("POST", INFER, x(datatype="INT32", data=[1, 2, 3, 4])),
    "unknown datatype": ("POST", INFER, x(datatype="FP8")),
    "wrong with an id": ("POST", INFER, body(id="7", inputs=[X | {"name": "z"}])),
    "too few values": ("POST", INFER, x(data=[1])),
    "texts for numbers": ("POST", INFER, x(data=["1"] * 4)),
    "malformed JSON": ("POST", INFER, b'{"inputs":[{'),
    "nothing": ("POST", INFER, b""),
    "empty JSON": ("POST", INFER, b"{}"),
    "FP16 in JSON": ("POST", "/v2/models/echo/infer", echo(("IN_FP16", "FP16", "[1]"))),
    "a size too large": ("POST", INFER, BINARY[:-1], LENGTH),
    "a byte too many": ("POST", INFER, BINARY + b"0", LENGTH),
    "a length beyond the body": ("POST", INFER, BINARY, {next(iter(LENGTH)): "99999"}),
    "the model fails": ("POST", "/v2/models/keeps/infer", x(data=[100, 0, 0, 0])),
    "the model raises": ("POST", "/v2/models/moody/infer", moody("raise")),
    "INVALID_ARG": ("POST", "/v2/models/moody/infer", moody("INVALID_ARG")),
    "NOT_FOUND": ("POST", "/v2/models/moody/infer", moody("NOT_FOUND")),
    "UNAVAILABLE": ("POST", "/v2/models/moody/infer", moody("UNAVAILABLE")),
    "INTERNAL": ("POST", "/v2/models/moody/infer", moody("INTERNAL")),
    "UNSUPPORTED": ("POST", "/v2/models/moody/infer", moody("UNSUPPORTED")),
    "ALREADY_EXISTS": ("POST", "/v2/models/moody/infer", moody("ALREADY_EXISTS")),
}
UNACCOUNTED = {"a byte order mark", "an unknown field", "classes", "nothing"}
UNACCOUNTED |= {"unknown datatype", "a sequence"}
"""What might be an inference that no layer can read: a budget does not let it pass."""


@pytest.mark.parametrize("case", REQUESTS)
def test_raw(triton: Triton, gateway: str, case: str, request: pytest.FixtureRequest) -> None:
    direct = raw(triton.http_target, *REQUESTS[case])
    answers = [raw(gateway, *REQUESTS[case]) for _ in range(2)]
    if case in UNACCOUNTED and "all layers" in request.node.callspec.id:
        assert [answer.status for answer in answers] == [403, 403]
        return
    assert answers == [direct, direct]


@pytest.mark.parametrize(
    "path", [INFER, "/v2/models/doubles/generate", "/v2/repository/index", "/v2/models/nope/infer"]
)
def test_what_would_end_triton(triton: Triton, gateway: str, path: str) -> None:
    """100,000 brackets do, on any of these paths; the gateway keeps them."""
    answer = raw(gateway, "POST", path, b'{"inputs":' + b"[" * 100_000)
    assert answer.status == 400
    assert b"deep" in answer.body
    assert raw(triton.http_target, "GET", "/v2/health/live").status == 200


@pytest.mark.parametrize("length", ["x", "+120", "120 more", "120, 120"])
def test_lengths_that_only_triton_reads(gateway: str, length: str) -> None:
    """It takes whatever stands at their beginning, so the gateway takes none of them."""
    answer = raw(gateway, "POST", INFER, BINARY, {next(iter(LENGTH)): length})
    assert answer.status == 400
    assert b"Inference-Header-Content-Length is no number" in answer.body


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("case", ["JSON", "binary", "malformed JSON", "unknown model"])
def test_compressed_requests(triton: Triton, gateway: str, case: str, coding: str) -> None:
    method, path, plain, *headers = REQUESTS[case]
    packed = (gzip.compress if coding == "gzip" else zlib.compress)(plain)
    named = dict(*headers) | {"Content-Encoding": coding}
    direct = raw(triton.http_target, method, path, packed, named)
    assert raw(gateway, method, path, packed, named) == direct


@pytest.mark.parametrize("coding", ["gzip", "deflate", "deflate, gzip;q=0.5", "br"])
def test_compressed_answers(triton: Triton, gateway: str, coding: str) -> None:
    """The bytes of a compressor are its own; what they unpack to is not."""
    accept = {"Accept-Encoding": coding}
    unpack = {"gzip": gzip.decompress, "deflate": zlib.decompress}
    both = []
    for target in (triton.http_target, gateway):
        answer = raw(target, "POST", INFER, BINARY, LENGTH | accept)
        used = answer.headers.get("Content-Encoding")
        both.append(answer._replace(body=unpack[used](answer.body) if used else answer.body))
    assert both[0] == both[1]


# What is asked by tritonclient.

RNG = np.random.default_rng(0)
ARRAYS: dict[str, NDArray[Any]] = {
    "BOOL": np.array([[True, False, True]]),
    "FP16": RNG.standard_normal((2, 3)).astype(np.float16),
    "FP32": RNG.standard_normal((2, 3)).astype(np.float32),
    "FP64": RNG.standard_normal((2, 3)),
    "BYTES": np.array([["a", "\u20ac", b"\xff\x00", "", '"', "\n"]], np.object_),
    "nothing": np.zeros((0, 3), np.float32),
    "large": RNG.standard_normal((200, 1000)).astype(np.float32),
} | {
    f"{sign}INT{bits}": np.array(
        [[np.iinfo(f"{sign.lower()}int{bits}").min, np.iinfo(f"{sign.lower()}int{bits}").max, 1]],
        f"{sign.lower()}int{bits}",
    )
    for sign in ("", "U")
    for bits in (8, 16, 32, 64)
}

Call = Callable[[Any], Any]


def given(array: NDArray[Any], name: str = "", *, binary: bool = True) -> Any:
    datatype = np_to_triton_dtype(array.dtype)
    name = name or f"IN_{'STRING' if datatype == 'BYTES' else datatype}"
    tensor = sync.InferInput(name, list(array.shape), datatype)
    return tensor.set_data_from_numpy(array, binary_data=binary)


def bfloat16() -> Any:
    tensor = sync.InferInput("IN_BF16", [2, 3], "BF16")
    return tensor.set_data_from_numpy(ARRAYS["FP32"].astype(ml_dtypes.bfloat16))


def infer(*inputs: Any, model: str = "echo", **options: Any) -> Call:
    return lambda client: client.infer(model, list(inputs), **options)


def wanted(*names: str, binary: bool = True) -> list[Any]:
    return [sync.InferRequestedOutput(name, binary_data=binary) for name in names]


x1 = given(np.ones((1, 4), np.float32), "x")
CALLS: dict[str, Call] = {
    **{f"{name} in binary": infer(given(array)) for name, array in ARRAYS.items()},
    **{
        f"{name} in JSON": infer(
            given(array, binary=False),
            outputs=wanted(
                f"OUT_{'STRING' if array.dtype == object else np_to_triton_dtype(array.dtype)}",
                binary=False,
            ),
        )
        for name, array in ARRAYS.items()
        if name not in ("FP16", "BYTES", "large")
    },
    "text in JSON": infer(given(np.array([["a", "\u20ac"]], np.object_), binary=False)),
    "BF16": infer(bfloat16(), outputs=wanted("OUT_BF16")),
    "BF16 wanted in JSON": infer(bfloat16(), outputs=wanted("OUT_BF16", binary=False)),
    "FP16 wanted in JSON": infer(given(ARRAYS["FP16"]), outputs=wanted("OUT_FP16", binary=False)),
    "several": infer(
        given(ARRAYS["FP32"]),
        given(ARRAYS["FP64"], binary=False),
        given(ARRAYS["BYTES"]),
        outputs=[*wanted("OUT_STRING"), *wanted("OUT_FP32", binary=False), *wanted("OUT_FP64")],
    ),
    "an id": infer(x1, model="doubles", request_id="my id"),
    "a version": infer(x1, model="doubles", model_version="1"),
    "parameters": infer(x1, model="doubles", parameters={"a": 1, "b": "x", "c": False}),
    "parameters that come back": infer(
        given(ARRAYS["FP32"]), parameters={"a": 1, "b": "x"}, outputs=wanted("PARAMETERS")
    ),
    "a timeout": infer(x1, model="doubles", timeout=5_000_000),
    "a priority": infer(x1, model="doubles", priority=1),
    "packed by gzip": infer(x1, model="doubles", request_compression_algorithm="gzip"),
    "packed by deflate": infer(x1, model="doubles", request_compression_algorithm="deflate"),
    "to be packed by gzip": infer(x1, model="doubles", response_compression_algorithm="gzip"),
    "to be packed by deflate": infer(x1, model="doubles", response_compression_algorithm="deflate"),
    "unknown model": infer(x1, model="nope"),
    "unknown version": infer(x1, model="doubles", model_version="9"),
    "unknown input": infer(given(np.ones((1, 4), np.float32), "z"), model="doubles"),
    "unknown output": infer(x1, model="doubles", outputs=wanted("z")),
    "wrong shape": infer(given(np.ones((1, 3), np.float32), "x"), model="doubles"),
    "wrong datatype": infer(given(np.ones((1, 4), np.int32), "x"), model="doubles"),
    "too many rows": infer(given(np.ones((17, 4), np.float32), "x"), model="doubles"),
    "the model fails": infer(given(np.full((1, 4), 100, np.float32), "x"), model="keeps"),
    "live": lambda client: client.is_server_live(),
    "ready": lambda client: client.is_server_ready(),
    "model ready": lambda client: client.is_model_ready("doubles"),
    "version ready": lambda client: client.is_model_ready("doubles", "1"),
    "no model ready": lambda client: client.is_model_ready("nope"),
    "server": lambda client: client.get_server_metadata(),
    "metadata": lambda client: client.get_model_metadata("doubles"),
    "metadata of no model": lambda client: client.get_model_metadata("nope"),
    "config": lambda client: client.get_model_config("doubles"),
    "index": lambda client: client.get_model_repository_index(),
}


def seen(result: Any) -> Any:
    """What an answer is, to be compared."""
    if not isinstance(result, (sync.InferResult, aio.InferResult)):
        return result
    said = result.get_response()
    names = [output["name"] for output in said["outputs"]]
    arrays = [result.as_numpy(name) for name in names]
    return said, [(a.dtype.str, a.tolist() if a.dtype == object else a.tobytes()) for a in arrays]


def told(error: InferenceServerException) -> tuple[str, str | None, str]:
    return "raised", error.status(), error.message()


def ask_sync(client: Any, call: Call) -> Any:
    try:
        return seen(call(client))
    except InferenceServerException as error:
        return told(error)


def test_tritonclient(triton: Triton, gateway: str) -> None:
    with (
        sync.InferenceServerClient(triton.http_target) as direct,
        sync.InferenceServerClient(gateway) as through,
    ):
        differ = {
            name: (there, here)
            for name, call in CALLS.items()
            if (there := ask_sync(direct, call)) != (here := ask_sync(through, call))
            or there != (here := ask_sync(through, call))
        }
        assert differ == {}
        both = [client.get_inference_statistics("doubles") for client in (direct, through)]
        assert both[0].keys() == both[1].keys()
        assert both[0]["model_stats"][0].keys() == both[1]["model_stats"][0].keys()


async def ask(client: Any, call: Callable[[Any], Awaitable[Any]]) -> Any:
    try:
        return seen(await call(client))
    except InferenceServerException as error:
        return told(error)


async def test_tritonclient_aio(triton: Triton, gateway: str) -> None:
    async with (
        aio.InferenceServerClient(triton.http_target) as direct,
        aio.InferenceServerClient(gateway) as through,
    ):
        differ = {}
        for name, call in CALLS.items():
            there = await ask(direct, call)
            here = [await ask(through, call) for _ in range(2)]
            if here != [there, there]:
                differ[name] = (there, here)
        assert differ == {}


async def test_many_at_once(triton: Triton, gateway: str) -> None:
    """Those that travel together get each its own answer, and its own refusal with its id."""
    rng = np.random.default_rng(1)
    calls = []
    for number in range(60):
        rows = rng.integers(1, 4)
        array = rng.integers(0, 5, (rows, 4)).astype(np.float32)
        if number % 7 == 0:
            array[0, 0] = 100
        model = ("keeps", "doubles")[number % 2]
        name = "x" if number % 11 else "z"
        if number % 13 == 0:
            array = array[:, :3]
        options: dict[str, Any] = {"request_id": f"id{number}"} if number % 3 else {}
        if number % 5 == 0:
            options["outputs"] = wanted("y", binary=number % 2 == 0)
        calls.append(infer(given(np.ascontiguousarray(array), name), model=model, **options))
    async with (
        aio.InferenceServerClient(triton.http_target) as direct,
        aio.InferenceServerClient(gateway) as through,
    ):
        there = [await ask(direct, call) for call in calls]
        for _ in range(2):
            here = await asyncio.gather(*[ask(through, call) for call in calls])
            assert here == there
