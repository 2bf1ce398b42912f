"""
Completed configurations beside those of a real server, asked for each model.

The models are small Python models, whose completion is core's alone, ensembles of them, and
the ONNX graphs whose completion is the backend's. The backend's own tests compare more graphs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import onnx
import pytest
import tritonclient.grpc as grpcclient
from onnx import parser
from tritonclient.utils import InferenceServerException

from tritonkit.repository.check.neighbours import Neighbours
from tritonkit.repository.check.target import Target
from tritonkit.repository.complete.complete import Completed, complete
from tritonkit.repository.complete.draft import draft_config
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.graph.graph import read_graph
from tritonkit.repository.graph.inference import infer_outputs
from tritonkit.repository.layout import ModelDirectory
from tritonkit.repository.served import render_served
from tritonkit.repository.text.read import read_config

CONFIGS = {
    "bare": None,
    "sized": "max_batch_size: 8 dynamic_batching { }",
    "preferred": "max_batch_size: 8 dynamic_batching { preferred_batch_size: [2, 4] }",
    "oldest": """name: "oldest" max_batch_size: 4
        sequence_batching { oldest { max_candidate_sequences: 4 }
        control_input { name: "s" control { kind: CONTROL_SEQUENCE_START
            int32_false_true: [0, 1] } } }""",
    "renamed": """default_model_filename: "other.py" backend: "python"
        sequence_batching { max_sequence_idle_microseconds: 7 direct { }
        control_input { name: "s" control { kind: CONTROL_SEQUENCE_START
            int32_false_true: [0, 1] } } }""",
    "groups": """instance_group { } instance_group { name: "mine" count: 2 kind: KIND_CPU
        rate_limiter { priority: 2 } }""",
    "tuned": """dynamic_batching { max_queue_delay_microseconds: 5 }
        optimization { priority: PRIORITY_MAX input_pinned_memory { enable: false } }
        version_policy { all { } } response_cache { enable: false }
        parameters { key: "k" value { string_value: "v" } }""",
    "decoupled": "model_transaction_policy { decoupled: true }",
    "streams": """platform: "ensemble" ensemble_scheduling { step {
        model_name: "decoupled" model_version: -1
        input_map { key: "x" value: "a" } output_map { key: "y" value: "b" } } }""",
    "pair": """platform: "ensemble" max_batch_size: 2 ensemble_scheduling { step {
        model_name: "sized" model_version: -1
        input_map { key: "x" value: "a" } output_map { key: "y" value: "b" } } }""",
}
"""config.pbtxt by name of a Python model, or an ensemble; None for none."""

IO = """ input { name: "x" data_type: TYPE_FP32 dims: [1] }
    output { name: "y" data_type: TYPE_FP32 dims: [1] }"""
ENSEMBLES = {"streams", "pair"}
ENSEMBLE_IO = IO.replace('"x"', '"a"').replace('"y"', '"b"')

ONE = "instance_group { count: 1 kind: KIND_CPU }"
DOUBLE = "(float[b,2] x) => (float[b,2] y) { y = Add(x, x) }"
DRAFTED = "as `draft_config` has it"
GRAPHS = {
    "bare_graph": ("(float[b,2] x) => (float[n,k] y) { y = Add(x, x) }", None),
    "half": (
        DOUBLE,
        f'max_batch_size: 6 {ONE} input {{ name: "x" data_type: TYPE_FP32 dims: [2] }}',
    ),
    "drafted": (
        "(float[b] x, float[b,time] w) => (float[b] y) { y = Neg(x) }",
        DRAFTED,
    ),
    "static": ("(float[1,2] x) => (float[1,2] y) { y = Neg(x) }", f"{ONE} max_batch_size: 2"),
}

BACKENDS = {
    "plan": (None, ["1/model.plan"]),
    "plan_first": (None, ["1/model.onnx", "1/model.plan"]),
    "torch": (None, ["1/model.pt"]),
    "openvino": (None, ["1/model.xml"]),
    "saved": (None, ["1/model.savedmodel/"]),
    "not_saved": (None, ["1/model.savedmodel"]),
    "graphdef": (None, ["1/model.graphdef", "1/model.plan"]),
    "folder": (None, ["1/model.plan/"]),
    "by_file": ('default_model_filename: "model.pt"', ["1/"]),
    "by_platform": ('platform: "tensorrt_plan"', ["1/other.file"]),
    "odd_platform": ('platform: "odd"', ["1/model.onnx"]),
    "odd_file": ('default_model_filename: "net.onnx"', ["1/net.onnx"]),
    "named.custom": (None, ["1/"]),
    "a.b.c": (None, ["1/model.what"]),
    "first": (None, ["1/model.onnx", "0/model.pt"]),
    "ensembled": ("ensemble_scheduling { }", ["1/"]),
}
"""config.pbtxt and files, in folders, of models whose backend the embedded server lacks.

What it refuses names the backend that it looked for."""

MODEL_PY = """\
class TritonPythonModel:
    def execute(self, requests):
        return []
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = tmp_path_factory.mktemp("complete")
    for name, config in CONFIGS.items():
        folder = repository / name / "1"
        folder.mkdir(parents=True)
        if name not in ENSEMBLES:
            file = "other.py" if name == "renamed" else "model.py"
            (folder / file).write_text(MODEL_PY)
        if config is None:
            continue
        io = ENSEMBLE_IO if name in ENSEMBLES else IO
        (repository / name / "config.pbtxt").write_text(config + io)
    for name, (config, entries) in BACKENDS.items():
        for entry in entries:
            path = repository / name / entry
            (path if entry.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not entry.endswith("/"):
                path.touch()
        if config is not None:
            (repository / name / "config.pbtxt").write_text(config)
    for name, (text, config) in GRAPHS.items():
        folder = repository / name / "1"
        folder.mkdir(parents=True)
        model = parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {text}')
        onnx.save(model, folder / "model.onnx")
        if config == DRAFTED:
            config = draft_config(read_graph(folder / "model.onnx"), name).text
        if config is not None:
            (repository / name / "config.pbtxt").write_text(config)
    return repository


@pytest.fixture(scope="module")
def printed() -> dict[str, Any]:
    """What the server's HTTP endpoint says of each model."""
    return {}


@pytest.fixture(scope="module")
def answers(
    repository: Path, triton_server_session: Callable[..., Any], printed: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The server's configuration of each model, or why it does not load."""
    server = triton_server_session(repository, model_control_mode="explicit")
    with grpcclient.InferenceServerClient(server.grpc_url) as client:

        def ask(name: str) -> Any:
            try:
                client.load_model(name)
            except InferenceServerException as error:
                return str(error.message())
            with urlopen(f"{server.http_url}/v2/models/{name}/config") as answer:
                printed[name] = json.load(answer)
            return client.get_model_config(name).config

        names = [*CONFIGS, *GRAPHS, *BACKENDS]
        with ThreadPoolExecutor(4) as pool:
            yield dict(zip(names, pool.map(ask, names), strict=True))


def completed(repository: Path, name: str) -> Completed:
    directory = ModelDirectory(repository / name)
    given = read_config(directory.path) if directory.config_path.exists() else ModelConfig()
    path = directory.path / "1" / "model.onnx"
    graph = infer_outputs(read_graph(path)) if path.exists() else None
    return complete(given, name, directory, graph, Target(gpus=0), decoupled=name == "streams")


@pytest.mark.parametrize("name", [*CONFIGS, *GRAPHS])
def test_completes_as_the_server(repository: Path, answers: dict[str, Any], name: str) -> None:
    found = completed(repository, name)
    answer = answers[name]
    if isinstance(answer, str):
        assert found.error
        assert found.error in answer
        return
    if name in GRAPHS:
        # The embedded server's backend is a Python one, and core notes its runtime.
        assert answer.runtime == "model.py"
        answer.runtime = ""
    assert answer == found.config
    assert not found.error


@pytest.mark.parametrize("name", BACKENDS)
def test_looks_for_the_same_backend(repository: Path, answers: dict[str, Any], name: str) -> None:
    directory = ModelDirectory(repository / name)
    given = read_config(directory.path) if directory.config_path.exists() else ModelConfig()
    found = complete(given, name, directory, None, Target(gpus=0))
    if found.config.backend:
        assert (
            f"unable to find backend library for backend '{found.config.backend}',"
            in (answers[name])
        )
    else:
        assert "failed to poll from model repository" in answers[name]


@pytest.mark.parametrize("name", ["tuned", "oldest", "pair", "drafted"])
def test_prints_json_as_the_server(
    answers: dict[str, Any], printed: dict[str, Any], name: str
) -> None:
    found = json.loads(render_served(answers[name]))
    # The test above takes the runtime away; the other field is newer than the server.
    found["runtime"] = printed[name]["runtime"]
    found.get("ensemble_scheduling", {}).pop("max_inflight_requests", 0)
    assert found == printed[name]


def test_an_ensemble_of_a_decoupled_model_is_decoupled_in_check_too(repository: Path) -> None:
    models = Neighbours([repository], Target(gpus=0))
    found = {name: models.get(name) for name in ("streams", "pair")}
    assert [
        model and model.config.model_transaction_policy.decoupled for model in found.values()
    ] == [True, False]
