"""The client against a real tritonserver, over HTTP and gRPC, beside tritonclient."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as theirs
from numpy.typing import NDArray

from tritonkit.client import AsyncClient, Client, InferRequest, InferResponse, Layer, Service
from tritonkit.errors import (
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    ModelUnavailable,
    ProtocolError,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import FaultServer, Triton

X = np.arange(16, dtype=np.float32).reshape(1, 16)


def samples(datatype: str) -> list[NDArray[Any]]:
    """Arrays with the ends of the type, an empty one, and one of many elements."""
    if datatype == "BYTES":
        texts = np.array([["", "é😀", b"\xff\0\xfe", "x" * 5000, b"\0"]], dtype=np.object_)
        return [texts, np.empty((0, 3), dtype=np.object_), np.full((50, 40), "text", np.object_)]
    if datatype == "BF16":
        values = np.array([[1.1, -2.5, 0, np.inf, 3e38]], dtype=np.float32)
        return [values, np.zeros((0, 2), dtype=np.float32), np.ones((300, 300), dtype=np.float32)]
    dtype = np.dtype(
        {"BOOL": "?", "FP16": "f2", "FP32": "f4", "FP64": "f8"}.get(datatype) or datatype.lower()
    )
    if dtype.kind == "b":
        ends = np.array([[True, False]])
    elif dtype.kind == "f":
        info = np.finfo(dtype)
        ends = np.array([[info.min, info.max, info.tiny, -0.0, np.inf, np.nan]], dtype=dtype)
    else:
        limits = np.iinfo(dtype)
        ends = np.array([[limits.min, limits.max, 1]], dtype=dtype)
    return [ends, np.zeros((3, 0), dtype=dtype), np.ones((300, 400), dtype=dtype)]


# fmt: off
DATATYPES = [
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16",
    "UINT32", "UINT64", "FP16", "FP32", "FP64", "BYTES", "BF16",
]
# fmt: on


@pytest.fixture(params=["http", "grpc"])
async def client(request: pytest.FixtureRequest, triton: Triton) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(getattr(triton, request.param)) as client:
        yield client


def names(datatype: str) -> tuple[str, str]:
    suffix = "STRING" if datatype == "BYTES" else datatype
    return f"IN_{suffix}", f"OUT_{suffix}"


def by_tritonclient(triton: Triton, datatype: str, array: NDArray[Any]) -> NDArray[Any]:
    source, target = names(datatype)
    sent = array.astype(ml_dtypes.bfloat16) if datatype == "BF16" else array
    client = theirs.InferenceServerClient(triton.http_target)
    try:
        tensor = theirs.InferInput(source, list(sent.shape), datatype).set_data_from_numpy(sent)
        result: NDArray[Any] = client.infer("echo", [tensor]).as_numpy(target)
    finally:
        client.close()
    return result.astype(np.float32) if datatype == "BF16" else result


@pytest.mark.parametrize("datatype", DATATYPES)
async def test_every_type_is_answered_as_to_tritonclient(
    triton: Triton, client: AsyncClient, datatype: str
) -> None:
    source, target = names(datatype)
    for array in samples(datatype):
        answer = (await client.infer("echo", {source: array}, outputs=[target]))[target]
        expected = by_tritonclient(triton, datatype, array)
        assert answer.dtype == expected.dtype
        assert answer.shape == expected.shape
        if datatype == "BYTES":
            assert answer.tolist() == expected.tolist()
        else:
            assert answer.tobytes() == expected.tobytes()


async def test_several_inputs_and_all_outputs(client: AsyncClient) -> None:
    answer = await client.infer("echo", {"IN_INT8": [[1, 2]], "IN_STRING": [["a"]]}, id="é7")
    assert set(answer) == {"OUT_INT8", "OUT_STRING", "PARAMETERS"}
    assert answer["OUT_INT8"].tolist() == [[1, 2]]
    assert answer["OUT_STRING"].tolist() == [[b"a"]]
    assert (answer.model, answer.version, answer.id) == ("echo", "1", "é7")


async def test_a_value_alone_is_that_of_the_only_input(client: AsyncClient, triton: Triton) -> None:
    np.testing.assert_array_equal((await client.infer("same", X))["y"], X)
    np.testing.assert_array_equal((await client.infer("same", X.tolist()))["y"], X)
    assert (await client.infer("moody", 0.0))["slept"].tolist() == [[0.0]]
    with Client(triton.http) as sync:
        np.testing.assert_array_equal(sync.infer("same", X)["y"], X)
    with pytest.raises(InvalidInput, match=r"inputs of model 'echo' must be named"):
        await client.infer("echo", [1])


async def test_parameters_arrive_with_their_types(client: AsyncClient) -> None:
    sent = {"a": 7, "b": True, "c": "text", "d": False, "e": -(2**63)}
    answer = await client.infer("echo", {"IN_INT8": [[1]]}, outputs=["PARAMETERS"], parameters=sent)
    received = json.loads(answer["PARAMETERS"][0])
    assert {name: received[name] for name in sent} == sent
    assert {name: type(received[name]) for name in sent} == {n: type(v) for n, v in sent.items()}


async def test_a_parameter_beyond_64_bits_is_refused(triton: Triton) -> None:
    async with AsyncClient(triton.grpc) as client:
        with pytest.raises(InvalidInput, match="64 bits"):
            await client.infer("echo", {"IN_INT8": [[1]]}, parameters={"a": 2**63})


async def test_both_transports_tell_the_same(triton: Triton) -> None:
    async with AsyncClient(triton.http) as http, AsyncClient(triton.grpc) as grpc:
        await http.infer("same", {"x": X})
        for model in ("echo", "same", "moody"):
            assert await http.metadata(model) == await grpc.metadata(model)
            assert await http.config(model) == await grpc.config(model)
            assert await http.statistics(model) == await grpc.statistics(model)
        assert await http.signature("same", "1") == await grpc.signature("same")
        assert len(await http.statistics()) == len(await grpc.statistics()) == 5


async def test_readiness(client: AsyncClient) -> None:
    assert await client.ready()
    assert await client.ready("same")
    assert await client.ready("same", "1")
    assert not await client.ready("nope")
    assert not await client.ready("same", "9")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "grpc://127.0.0.1:1"])
async def test_a_server_that_is_not_there(url: str) -> None:
    async with AsyncClient(url) as client:
        for call in (client.ready(), client.metadata("m"), client.infer("m", {}, timeout="5s")):
            with pytest.raises(ServerUnavailable, match=url):
                await call


async def test_unknown_models_and_versions(client: AsyncClient) -> None:
    for call in (
        client.infer("nope", {"x": X}),
        client.infer("same", {"x": X}, version="9"),
        client.metadata("nope"),
        client.config("nope"),
        client.statistics("nope"),
    ):
        with pytest.raises(ModelUnavailable) as error:
            await call
        assert error.value.model in ("nope", "same")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("raise", InferenceFailed),
        ("INTERNAL", InferenceFailed),
        ("NOT_FOUND", InferenceFailed),
        ("INVALID_ARG", InvalidInput),
        ("UNSUPPORTED", InvalidInput),
        ("UNAVAILABLE", ServerUnavailable),
    ],
)
async def test_what_a_model_says(client: AsyncClient, code: str, kind: type[RequestError]) -> None:
    with pytest.raises(kind, match=f"boom|says {code}") as error:
        await client.infer("moody", {"seconds": 0, "error": code})
    assert type(error.value) is kind
    assert error.value.model == "moody"


@pytest.mark.parametrize("scheme", ["http", "grpc"])
async def test_wrong_input_never_reaches_the_server(triton: Triton, scheme: str) -> None:
    log: list[str] = []
    async with AsyncClient(getattr(triton, scheme), [Counting("a", log)]) as client:
        for inputs in (
            {"second": 0},
            {"seconds": "0"},
            {"seconds": [[0, 0]]},
            {"seconds": [[0], [0]]},
        ):
            with pytest.raises(InvalidInput, match="moody"):
                await client.infer("moody", inputs)
        with pytest.raises(InvalidInput, match=r"no output 'sleep'.*did you mean 'slept'"):
            await client.infer("moody", {"seconds": 0}, outputs=["sleep"])
        assert log == []
        await client.infer("moody", {"seconds": 0})
        assert log == [">a", "<a"]


async def test_a_deadline_is_end_to_end(client: AsyncClient, tmp_path: Path) -> None:
    """The model is not through when the caller is told."""
    gate = tmp_path / "gate"
    await client.signature("gated")
    with pytest.raises(DeadlineExceeded) as error:
        await client.infer("gated", {"gate": str(gate)}, timeout="100ms")
    assert error.value.model == "gated"
    gate.touch()


async def test_a_deadline_is_told_to_the_queue(client: AsyncClient, tmp_path: Path) -> None:
    """A request that waited too long is dropped by Triton, not computed for nobody."""
    gate, late = tmp_path / "gate", tmp_path / "late"
    async with asyncio.TaskGroup() as group:
        first = group.create_task(client.infer("gated", {"gate": str(gate)}))
        while not (gate.with_suffix(".begun").exists() or first.done()):  # noqa: ASYNC110, a file
            await asyncio.sleep(0.005)
        with pytest.raises(DeadlineExceeded):
            await client.infer("gated", {"gate": str(late)}, timeout=0.1)
        # The queue's clock starts when the request reaches it, later than the client's.
        await asyncio.sleep(1)
        gate.touch()
    # Behind the other one in the queue.
    await client.infer("gated", {"gate": str(gate)})
    assert not late.with_suffix(".begun").exists()


async def settled(client: AsyncClient) -> None:
    """Wait until nothing is left in the model's queue."""
    await client.infer("moody", {"seconds": 0})


async def test_a_full_queue_is_an_overload(client: AsyncClient) -> None:
    outcomes = await asyncio.gather(
        *(client.infer("moody", {"seconds": 0.15}) for _ in range(10)), return_exceptions=True
    )
    kinds = {type(outcome) for outcome in outcomes}
    assert kinds == {InferResponse, ServerOverloaded}
    await settled(client)


async def test_a_cancelled_request_leaves_the_client_usable(client: AsyncClient) -> None:
    task = asyncio.ensure_future(client.infer("moody", {"seconds": 0.3}))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await client.infer("same", {"x": X}))["y"].tolist() == X.tolist()
    await settled(client)


async def test_many_at_once_get_their_own_answers(client: AsyncClient) -> None:
    inputs = [np.full((1, 16), n, dtype=np.float32) for n in range(100)]
    answers = await asyncio.gather(*(client.infer("same", {"x": x}) for x in inputs))
    for x, answer in zip(inputs, answers, strict=True):
        np.testing.assert_array_equal(answer["y"], x)


@pytest.fixture
def reload_shifty(triton: Triton) -> Iterator[Callable[[int], None]]:
    """Loads "shifty" with another width; the other tests have it as it was."""
    url = f"{triton.http}/v2/repository/models/shifty"

    def post(action: str, **parameters: str) -> None:
        body = json.dumps({"parameters": parameters}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{url}/{action}", data=body)):
            pass

    def reload(width: int) -> None:
        config = {
            "backend": "python",
            "max_batch_size": 8,
            "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [width]}],
            "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [width]}],
        }
        post("load", config=json.dumps(config))

    yield reload
    # A load alone leaves what was loaded in place of the file.
    post("unload")
    post("load")


async def test_a_model_that_was_replaced_is_looked_at_again(
    triton: Triton, reload_shifty: Callable[[int], None]
) -> None:
    async with AsyncClient(triton.http) as client, AsyncClient(triton.http) as late:
        for each in (client, late):
            await each.infer("shifty", {"x": X})
        reload_shifty(4)
        # What the old metadata refuses and the server takes.
        answer = await client.infer("shifty", {"x": X[:, :4]})
        assert answer["y"].shape == (1, 4)
        # What the old metadata allows and the server refuses.
        with pytest.raises(InvalidInput, match=r"must have shape \[-1, 4\]"):
            await late.infer("shifty", {"x": X})


async def test_metadata_is_asked_for_once(triton: Triton) -> None:
    async with AsyncClient(triton.http) as client:
        first = await client.signature("same")
        await client.infer("same", {"x": X})
        assert client._signatures.known("same", "") is first


class Counting(Layer):
    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        self.log.append(f">{self.name}")
        response = await inner(request)
        self.log.append(f"<{self.name}")
        return response

    async def aclose(self) -> None:
        self.log.append(f"closed {self.name}")

    def __repr__(self) -> str:
        return f"Counting({self.name!r})"


async def test_layers_stand_around_the_transport(triton: Triton) -> None:
    log: list[str] = []
    async with AsyncClient(triton.http, [Counting("a", log), Counting("b", log)]) as client:
        await client.infer("same", {"x": X})
        transport = f"HttpTransport({triton.http!r})"
        assert repr(client) == f"AsyncClient(Stack(Counting('a') > Counting('b') > {transport}))"
    assert log == [">a", ">b", "<b", "<a", "closed a", "closed b"]


async def test_a_closed_client_says_so(triton: Triton, client: AsyncClient) -> None:
    await client.infer("same", {"x": X})
    await client.aclose()
    await client.aclose()
    for call in (client.infer("same", {"x": X}), client.metadata("same"), client.ready()):
        with pytest.raises(ConfigError, match="the client is closed"):
            await call


@pytest.mark.parametrize("wrong", ["fast", -1, "10"])
async def test_a_timeout_that_is_none(triton: Triton, wrong: Any) -> None:
    async with AsyncClient(triton.http) as client:
        with pytest.raises(ConfigError, match="timeout"):
            await client.infer("same", {"x": X}, timeout=wrong)


async def test_a_black_hole_ends_at_the_deadline(fault_server: FaultServer) -> None:
    """Also while the client still asks what the model is."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    address = await fault_server(silent)
    async with AsyncClient(str(address)) as client:
        for call in (
            client.infer("m", {}, timeout="100ms"),
            client.ready(timeout="100ms"),
            client.config("m", timeout="100ms"),
        ):
            with pytest.raises(DeadlineExceeded):
                await call


async def test_metadata_is_asked_for_once_by_many(triton: Triton) -> None:
    """Also where the first that asked has gone."""
    async with AsyncClient(triton.http) as client:
        asked = 0
        metadata = client.transport.metadata

        async def counting(model: str, version: str = "", **options: Any) -> dict[str, Any]:
            nonlocal asked
            asked += 1
            return await metadata(model, version, **options)

        client.transport.metadata = counting  # type: ignore[method-assign]  # to count
        first, *others = [asyncio.create_task(client.infer("same", {"x": X})) for _ in range(64)]
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(*others)
        assert first.cancelled()
        assert asked == 1


async def test_a_refusal_stands_while_metadata_is_out_of_reach(triton: Triton) -> None:
    async with AsyncClient(triton.http) as client:
        await client.infer("same", {"x": X})
        known = client._signatures.known("same", "")

        async def unreachable(*_: Any, **__: Any) -> dict[str, Any]:
            raise ServerUnavailable("gone")

        client.transport.metadata = unreachable  # type: ignore[method-assign]  # to fail
        with pytest.raises(InvalidInput, match="no input 'z'"):
            await client.infer("same", {"z": X})
        assert client._signatures.known("same", "") is known


async def test_an_answer_that_is_no_object(fault_server: FaultServer) -> None:
    async def listing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

    async with AsyncClient(str(await fault_server(listing))) as client:
        for call in (client.metadata("m"), client.statistics(), client.infer("m", {})):
            with pytest.raises(ProtocolError, match="no JSON object"):
                await call
