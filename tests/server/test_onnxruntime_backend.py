"""
The onnxruntime backend in a real tritonserver, asked by NVIDIA's own client.

One server serves every model; the models that must not load are in the same
repository, and their reasons come from the repository API.
"""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from numpy.typing import NDArray
from onnx import numpy_helper, parser
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tritonkit.repository import ModelConfig, ModelDirectory, read_config
from tritonkit.repository.check.target import Target
from tritonkit.repository.complete.complete import Completed, complete
from tritonkit.repository.graph.graph import read_graph
from tritonkit.repository.graph.inference import infer_outputs
from tritonkit.server import EmbeddedServer

NUMERIC = {
    "bool": np.bool_,
    "uint8": np.uint8,
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "float16": np.float16,
    "float": np.float32,
    "double": np.float64,
}
# The fixed first dimension keeps the model from batching, so that n may be 0.
ECHO = ", ".join(f"{t}[1,n] x_{t}" for t in [*NUMERIC, "string"])
ECHOED = ECHO.replace("x_", "y_")
ECHO_NODES = " ".join(f"y_{t} = Identity(x_{t})" for t in [*NUMERIC, "string"])

DOUBLE = "(float[b,2] x) => (float[b,2] y) { y = Add(x, x) }"
GATHER = "(int64[b,1] x) => (float[b,1] y) <float[3] t = {10, 20, 30}> { y = Gather(t, x) }"
STRINGS = "(string[b,1] x) => (string[b,1] y) { y = Identity(x) }"
SEQUENCE = """(float[b,1] x, float[b,1] start) => (float[b,1] y, float[b,1] seen) {
    y = Neg(x) seen = Identity(start) }"""
COUNTED = """(float[n] x, float[b] count) => (float[b,k] y, float[n] z) {
    z = Neg(x) axis = Constant <value = int64[1] {1}> () y = Unsqueeze(count, axis) }"""
ONE = "instance_group { count: 1 kind: KIND_CPU }"

MODELS = {
    "bare": (DOUBLE, None),
    "echo": (f"({ECHO}) => ({ECHOED}) {{ {ECHO_NODES} }}", ONE),
    "rows": (
        "(float[b] x, float[b,2] v) => (float[b] y, float[b,2] w) { y = Neg(x) w = Neg(v) }",
        ONE,
    ),
    "scalar": ("(float[] x, float[2] v) => (float[] y) { y = Identity(x) }", ONE),
    "gather": (
        GATHER,
        f"""max_batch_size: 8 {ONE} dynamic_batching {{
        preferred_batch_size: 4 max_queue_delay_microseconds: 10000000 }}""",
    ),
    "strings": (STRINGS, f"max_batch_size: 8 {ONE}"),
    "two": (
        "(float[b,1] x) => (float[b,1] y, float[b,1] z) { y = Add(x, x) z = Neg(x) }",
        f"max_batch_size: 8 {ONE}",
    ),
    "first": (
        "(float[b,1] x) => (float[c,1] y) <bool[1] f = {1}> { y = Compress <axis = 0> (x, f) }",
        f"max_batch_size: 8 {ONE}",
    ),
    "optional": (
        "(float[2] x, float[2] w) => (float[2] y) <float[2] w = {10, 20}> { y = Add(x, w) }",
        """max_batch_size: 0 instance_group { count: 1 kind: KIND_CPU }
        input { name: "x" data_type: TYPE_FP32 dims: [2] }
        input { name: "w" data_type: TYPE_FP32 dims: [2] optional: true }
        output { name: "y" data_type: TYPE_FP32 dims: [2] }""",
    ),
    "sequence": (
        SEQUENCE,
        """max_batch_size: 4 instance_group { count: 1 kind: KIND_CPU }
        input { name: "x" data_type: TYPE_FP32 dims: [1] }
        output { name: "y" data_type: TYPE_FP32 dims: [1] }
        output { name: "seen" data_type: TYPE_FP32 dims: [1] }
        sequence_batching { control_input { name: "start"
            control { kind: CONTROL_SEQUENCE_START fp32_false_true: [0, 1] } } }""",
    ),
    "counted": (
        COUNTED,
        """max_batch_size: 4 instance_group { count: 1 kind: KIND_CPU }
        input { name: "x" data_type: TYPE_FP32 dims: [-1] allow_ragged_batch: true }
        output { name: "y" data_type: TYPE_FP32 dims: [1] }
        batch_input { kind: BATCH_ELEMENT_COUNT target_name: "count" data_type: TYPE_FP32
            source_input: "x" }
        dynamic_batching { preferred_batch_size: 3 max_queue_delay_microseconds: 10000000 }""",
    ),
    "warm": (
        DOUBLE,
        f"""max_batch_size: 4 {ONE} model_warmup {{ name: "w" batch_size: 2
        inputs {{ key: "x" value {{ data_type: TYPE_FP32 dims: [2] random_data: true }} }} }}""",
    ),
    "tuned": (
        DOUBLE,
        f"""max_batch_size: 4 {ONE} optimization {{ graph {{ level: -1 }} }}
        parameters {{ key: "intra_op_thread_count" value {{ string_value: "2" }} }}
        parameters {{ key: "memory.enable_memory_arena_shrinkage"
            value {{ string_value: "cpu:0;gpu:0" }} }}""",
    ),
}
"""ONNX text and config.pbtxt by model name; None for no config.pbtxt."""

IO = 'name: "{}" data_type: TYPE_{} dims: [{}]'
X, Y = IO.format("x", "FP32", 2), IO.format("y", "FP32", 2)
REFUSED = {
    "dims": (
        DOUBLE,
        f"max_batch_size: 4 input {{ {IO.format('x', 'FP32', 3)} }} output {{ {Y} }}",
        "model 'dims', tensor 'x': the model expects 2 dimensions (shape [-1,2]) but the model "
        "configuration specifies 2 dimensions (an initial batch dimension because max_batch_size "
        "> 0 followed by the explicit tensor shape, making complete shape [-1,3])",
    ),
    "datatype": (
        DOUBLE,
        f"max_batch_size: 4 input {{ {X} }} output {{ {IO.format('y', 'INT32', 2)} }}",
        "unable to load model 'datatype', configuration expects datatype TYPE_INT32 for output "
        "'y', model provides TYPE_FP32",
    ),
    "static": (
        "(float[1,2] x) => (float[1,2] y) { y = Neg(x) }",
        "max_batch_size: 4",
        "autofill failed for model 'static': model does not support batching while non-zero "
        "max_batch_size is specified",
    ),
    "mode": (
        DOUBLE,
        'parameters { key: "execution_mode" value { string_value: "2" } }',
        "Invalid configuration value provided. Expected values for  execution_mode are 0 or 1 "
        "but got 2 .",
    ),
    "listed": (
        "(float[2] x) => (seq(float[2]) y) { y = SequenceConstruct(x) }",
        None,
        "Unsupported ONNX Type 'ONNX_TYPE_SEQUENCE' for I/O 'y', expected 'ONNX_TYPE_TENSOR'.",
    ),
    "bf16": (
        "(bfloat16[2] x) => (float[2] y) { y = Cast <to = 1> (x) }",
        f"max_batch_size: 0 input {{ {IO.format('x', 'BF16', 2)} }} output {{ {Y} }}",
        "unsupported datatype TYPE_BF16 for input 'x' for model 'bf16'",
    ),
    "corrupt": (None, None, "/corrupt/1/model.onnx failed:Protobuf parsing failed."),
    "absent": (None, 'backend: "onnxruntime"', "failed to stat file"),
}
"""ONNX text, config.pbtxt and the reason that the model does not load."""


def write(repository: Path, name: str, text: str | None, config: str | None) -> None:
    folder = repository / name / "1"
    folder.mkdir(parents=True)
    if text is not None:
        onnx.save(
            parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {text}'),
            folder / "model.onnx",
        )
    if config is not None:
        (repository / name / "config.pbtxt").write_text(config)


def write_folder_with_external_data(repository: Path) -> None:
    """The artifact is a folder: 1/model.onnx/model.onnx, with its weights beside it."""
    text = "(float[b,512] x, float[512] w) => (float[b,512] y) { y = Add(x, w) }"
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {text}')
    model.graph.input.pop()
    model.graph.initializer.append(numpy_helper.from_array(np.ones(512, np.float32), "w"))
    folder = repository / "external" / "1" / "model.onnx"
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="weights")


def complete_offline(repository: Path, name: str) -> Completed:
    directory = ModelDirectory(repository / name)
    given = read_config(directory.path) if directory.config_path.exists() else ModelConfig()
    graph = infer_outputs(read_graph(directory.path / "1" / "model.onnx"))
    return complete(given, name, directory, graph, Target(gpus=0))


class Served:
    """A server with its models loaded, as far as they load."""

    def __init__(self, server: EmbeddedServer, repository: Path) -> None:
        self.repository = repository
        self.grpc = grpcclient.InferenceServerClient(server.grpc_url)
        self.http = httpclient.InferenceServerClient(server.http_url.removeprefix("http://"))
        names = sorted(entry.name for entry in repository.iterdir())
        with ThreadPoolExecutor(4) as pool:
            self.reasons = dict(zip(names, pool.map(self.load, names), strict=True))

    def close(self) -> None:
        # A server that is asked to stop waits for open HTTP connections.
        self.grpc.close()
        self.http.close()

    def load(self, name: str) -> str:
        try:
            self.grpc.load_model(name)
        except InferenceServerException as error:
            return str(error.message())
        return ""

    def infer(self, model: str, /, *outputs: str, **inputs: NDArray[Any]) -> dict[str, Any]:
        asked = [grpcclient.InferRequestedOutput(name) for name in outputs] or None
        result = self.grpc.infer(model, tensors(inputs), outputs=asked)
        return {
            output.name: result.as_numpy(output.name) for output in result.get_response().outputs
        }

    def infer_together(
        self, model: str, inputs: Sequence[dict[str, NDArray[Any]]]
    ) -> list[Any | InferenceServerException]:
        """Send requests at once; they wait in the queue until the preferred size is met."""

        def one(given: dict[str, NDArray[Any]]) -> Any:
            try:
                return self.infer(model, **given)
            except InferenceServerException as error:
                return error

        with ThreadPoolExecutor(len(inputs)) as pool:
            return list(pool.map(one, inputs))

    def batch_sizes(self, model: str, rows: int) -> list[int]:
        """Batch sizes that ran, once the statistics, which follow the answers, hold all rows."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            (found,) = self.grpc.get_inference_statistics(model).model_stats
            batches = {entry.batch_size: entry.compute_infer.count for entry in found.batch_stats}
            if sum(size * count for size, count in batches.items()) >= rows:
                break
            time.sleep(0.05)
        return [size for size, count in sorted(batches.items()) for _ in range(count)]


def tensors(inputs: dict[str, NDArray[Any]]) -> list[grpcclient.InferInput]:
    made = []
    for name, array in inputs.items():
        tensor = grpcclient.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        made.append(tensor.set_data_from_numpy(array))
    return made


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    repository = tmp_path_factory.mktemp("models")
    for name, (text, config) in MODELS.items():
        write(repository, name, text, config)
    for name, (text, config, _) in REFUSED.items():
        write(repository, name, text, config)
    (repository / "corrupt" / "1" / "model.onnx").write_bytes(b"not a model")
    write_folder_with_external_data(repository)
    with EmbeddedServer(repository, model_control_mode="explicit") as server:
        served = Served(server, repository)
        yield served
        served.close()


@pytest.mark.parametrize("model", [*MODELS, "external"])
def test_loads(served: Served, model: str):
    assert served.reasons[model] == ""
    assert served.grpc.is_model_ready(model)


@pytest.mark.parametrize("model", REFUSED)
def test_does_not_load_for_tritons_reason(served: Served, model: str):
    assert REFUSED[model][2] in served.reasons[model]


@pytest.mark.parametrize("model", [*MODELS, "external"])
def test_a_configuration_is_completed_as_the_repository_says_without_a_server(
    served: Served, model: str
):
    completed = complete_offline(served.repository, model)
    answer = served.grpc.get_model_config(model).config
    # Core notes that the embedded server's backend is written in Python.
    assert answer.runtime == "model.py"
    answer.runtime = ""
    assert completed.config == answer
    assert not completed.error


@pytest.mark.parametrize("model", ["static", "listed"])
def test_what_cannot_be_completed_is_refused_with_the_same_words(served: Served, model: str):
    assert complete_offline(served.repository, model).error in served.reasons[model]
    assert REFUSED[model][2] == complete_offline(served.repository, model).error


def test_a_folder_with_nothing_but_the_model_serves(served: Served):
    """Triton and the graph fill in the rest, as NVIDIA's backend has it."""
    config = served.http.get_model_config("bare")
    assert config["backend"] == "onnxruntime"
    assert config["platform"] == "onnxruntime_onnx"
    assert config["max_batch_size"] == 4
    assert config["dynamic_batching"]["preferred_batch_size"] == [4]
    (x,), (y,) = config["input"], config["output"]
    assert (x["name"], x["data_type"], x["dims"]) == ("x", "TYPE_FP32", [2])
    assert (y["name"], y["data_type"], y["dims"]) == ("y", "TYPE_FP32", [2])
    x = np.array([[1, 2], [3, 4]], np.float32)
    assert served.infer("bare", x=x)["y"].tolist() == [[2, 4], [6, 8]]


def test_http_answers_as_grpc_does(served: Served):
    array = np.array([[1, 2]], np.float32)
    tensor = httpclient.InferInput("x", [1, 2], "FP32").set_data_from_numpy(array)
    result = served.http.infer("bare", [tensor])
    assert result.as_numpy("y").tolist() == [[2, 4]]


@pytest.mark.parametrize("elements", [3, 1, 0])
def test_every_type_comes_back(served: Served, elements: int):
    """Tensors of no elements too."""
    inputs: dict[str, NDArray[Any]] = {
        f"x_{name}": np.arange(elements).astype(dtype).reshape(1, -1)
        for name, dtype in NUMERIC.items()
    }
    inputs["x_string"] = np.array([[b"a", b"", b"bc"][:elements]], np.object_)
    answer = served.infer("echo", **inputs)
    for name, array in inputs.items():
        echoed = answer[name.replace("x_", "y_")]
        assert echoed.dtype == array.dtype
        assert echoed.tolist() == array.tolist()


def test_one_value_a_row_is_a_column_on_the_wire(served: Served):
    config = served.http.get_model_config("rows")
    assert config["input"][0]["dims"] == [1]
    assert config["input"][0]["reshape"] == {"shape": []}
    x, v = np.array([[1], [2]], np.float32), np.ones((2, 2), np.float32)
    answer = served.infer("rows", x=x, v=v)
    assert answer["y"].tolist() == [[-1], [-2]]
    assert answer["w"].tolist() == [[-1, -1], [-1, -1]]


def test_a_scalar_is_one_element_on_the_wire(served: Served):
    answer = served.infer("scalar", x=np.array([3], np.float32), v=np.ones(2, np.float32))
    assert answer["y"].tolist() == [3]


def test_a_model_in_a_folder_finds_its_external_data(served: Served):
    answer = served.infer("external", x=np.ones((1, 512), np.float32))
    assert answer["y"].sum() == 1024


def test_requests_that_meet_run_as_one_and_the_bad_one_fails_alone(served: Served):
    indices = [[[0]], [[7]], [[2], [1]]]
    answers = served.infer_together("gather", [{"x": np.array(i, np.int64)} for i in indices])
    assert answers[0]["y"].tolist() == [[10]]
    assert answers[2]["y"].tolist() == [[30], [20]]
    assert isinstance(answers[1], InferenceServerException)
    assert "onnx runtime error 2: " in answers[1].message()
    assert "Traceback" not in answers[1].message()
    assert served.batch_sizes("gather", rows=4) == [4]


def test_strings_come_back_byte_for_byte(served: Served):
    values = [b"", b"plain", "héllo 世界 😀".encode(), b"nul\0inside", b"x" * 10_000]
    array = np.array(values, np.object_).reshape(-1, 1)
    assert served.infer("strings", x=array)["y"].reshape(-1).tolist() == values


def test_bytes_that_are_no_text_are_refused_clearly(served: Served):
    array = np.array([[b"\xff\xfe"]], np.object_)
    with pytest.raises(InferenceServerException) as error:
        served.infer("strings", x=array)
    assert "element 0 of string input 'x' is not UTF-8" in error.value.message()
    assert error.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_only_the_wanted_outputs_are_answered(served: Served):
    x = np.array([[1]], np.float32)
    assert served.infer("two", "z", x=x).keys() == {"z"}
    assert served.infer("two", x=x).keys() == {"y", "z"}


def test_a_model_that_breaks_the_batch_is_told_so(served: Served):
    with pytest.raises(InferenceServerException) as error:
        served.infer("first", x=np.ones((3, 1), np.float32))
    assert error.value.message() == (
        "[request id: <id_unknown>] failed to split the output tensor 'y' in responses: expected "
        "batch size of atleast 3 in model output, got 1"
    )


def test_an_optional_input_may_be_left_out(served: Served):
    x = np.array([1, 2], np.float32)
    assert served.infer("optional", x=x)["y"].tolist() == [11, 22]
    assert served.infer("optional", x=x, w=np.zeros(2, np.float32))["y"].tolist() == [1, 2]


def test_the_sequence_batcher_fills_its_controls(served: Served):
    inputs = tensors({"x": np.array([[2]], np.float32)})
    seen = []
    for start, end in [(True, False), (False, False), (False, True)]:
        result = served.grpc.infer(
            "sequence", inputs, sequence_id=7, sequence_start=start, sequence_end=end
        )
        assert result.as_numpy("y").tolist() == [[-2]]
        seen.append(result.as_numpy("seen").item())
    assert seen == [1, 0, 0]


def test_ragged_requests_join_and_the_server_counts_their_elements(served: Served):
    shapes = [(1, 3), (1, 5), (1, 1)]
    answers = served.infer_together("counted", [{"x": np.ones(s, np.float32)} for s in shapes])
    assert [answer["y"].tolist() for answer in answers] == [[[3]], [[5]], [[1]]]
    assert served.batch_sizes("counted", rows=3) == [3]


def test_settings_apply_and_runs_still_answer(served: Served):
    x = np.array([[1, 2]], np.float32)
    assert served.infer("tuned", x=x)["y"].tolist() == [[2, 4]]


def test_a_configuration_given_at_load_time_is_obeyed_and_unload_ends_the_processes(
    served: Served,
):
    group = [{"count": 1, "kind": "KIND_CPU"}]
    override = {"backend": "onnxruntime", "max_batch_size": 2, "instance_group": group}
    served.grpc.load_model("bare", config=json.dumps(override))
    assert served.http.get_model_config("bare")["max_batch_size"] == 2
    folder = str(served.repository / "bare").encode()
    assert any(folder in line for line in command_lines())
    served.grpc.unload_model("bare")
    deadline = time.monotonic() + 30
    while any(folder in line for line in command_lines()):
        assert time.monotonic() < deadline, "a stub of the unloaded model still runs"
        time.sleep(0.1)


def command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue
