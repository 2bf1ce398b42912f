"""What a model configuration says about running its graph, and opening the session."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.accelerators import (
    check_accelerators,
)
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.artifact import find_artifact
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.cores import available_cores
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.errors import LoadError
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.graph import read_graph
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.parameters import (
    Parameters,
    misspelled,
)
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.session import (
    Settings,
    open_session,
    open_session_for_graph,
    read_settings,
)


def config(parameters: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    values = {name: {"string_value": value} for name, value in (parameters or {}).items()}
    return {"name": "m", "parameters": values, "instance_group": [{"count": 2}], **fields}


def settings(parameters: dict[str, str] | None = None, **fields: Any) -> Settings:
    return read_settings(config(parameters, **fields), cores=8)


def save(text: str, path: Path) -> Path:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {text}')
    onnx.save(model, path)
    return path


@pytest.fixture
def double(tmp_path: Path) -> Path:
    return save("(float[b,2] x) => (float[b,2] y) { y = Add(x, x) }", tmp_path / "double.onnx")


@pytest.mark.parametrize(("count", "expected"), [(1, 8), (2, 4), (3, 2), (8, 1), (20, 1)])
def test_instances_share_the_cores(count: int, expected: int):
    found = settings(instance_group=[{"count": count}])
    assert found.intra_op_threads == expected
    assert found.inter_op_threads == expected


def test_every_instance_group_counts():
    assert settings(instance_group=[{"count": 1}, {"count": 3}]).intra_op_threads == 2


def test_given_thread_counts_win():
    found = settings({"intra_op_thread_count": "3", "inter_op_thread_count": "2"})
    assert (found.intra_op_threads, found.inter_op_threads) == (3, 2)
    assert found.warnings == ()


def test_62_more_threads_than_cores_warn():
    (warning,) = settings({"intra_op_thread_count": "8"}).warnings
    assert warning == "2 instances with intra_op_thread_count 8 want 16 threads on 8 cores"


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (-1, "ORT_ENABLE_BASIC"),
        (0, "ORT_ENABLE_ALL"),
        (1, "ORT_ENABLE_EXTENDED"),
        (2, "ORT_DISABLE_ALL"),
        (7, "ORT_ENABLE_ALL"),
    ],
)
def test_graph_level(level: int, expected: str):
    assert settings(optimization={"graph": {"level": level}}).level == expected


def test_57_level_2_warns_that_it_switches_off():
    (warning,) = settings(optimization={"graph": {"level": 2}}).warnings
    assert "switches every graph optimization off" in warning


@pytest.mark.parametrize(("mode", "parallel"), [("0", False), ("1", True)])
def test_execution_mode(mode: str, parallel: bool):
    assert settings({"execution_mode": mode}).parallel is parallel


def test_52_another_execution_mode_is_refused():
    with pytest.raises(LoadError) as error:
        settings({"execution_mode": "2"})
    assert str(error.value) == (
        "Invalid configuration value provided. Expected values for  execution_mode are 0 or 1 "
        "but got 2 ."
    )


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("ON", True), ("1", True), ("off", False), ("0", False)]
)
def test_arena_and_pattern(value: str, expected: bool):
    found = settings({"enable_mem_arena": value, "enable_mem_pattern": value})
    assert (found.mem_arena, found.mem_pattern) == (expected, expected)


def test_arena_and_pattern_are_left_alone_when_not_given():
    assert (settings().mem_arena, settings().mem_pattern) == (None, None)


def test_a_value_that_is_no_boolean_is_refused():
    with pytest.raises(LoadError, match="failed to convert 'perhaps' to boolean"):
        settings({"enable_mem_arena": "perhaps"})


@pytest.mark.parametrize(("value", "expected"), [(" 4", 4), ("4abc", 4), ("-1", -1), ("+2", 2)])
def test_numbers_are_read_as_cpp_reads_them(value: str, expected: int):
    assert Parameters(config({"n": value})).integer("n") == expected


def test_a_value_that_is_no_number_is_refused():
    with pytest.raises(LoadError, match="failed to convert 'four' to integral number"):
        settings({"intra_op_thread_count": "four"})


def test_idle_pools_do_not_spin_unless_asked():
    assert settings().entries["session.force_spinning_stop"] == "1"
    asked = settings({"session.force_spinning_stop": "0"})
    assert asked.entries["session.force_spinning_stop"] == "0"


def test_the_gpu_arena_is_not_shrunk_on_the_cpu():
    """onnxruntime would fail every run with an arena that is not there."""
    found = settings({"memory.enable_memory_arena_shrinkage": "cpu:0;gpu:0"})
    assert found.shrinkage == "cpu:0"
    assert found.warnings == (
        "memory.enable_memory_arena_shrinkage: there is no GPU arena on the CPU",
    )


def test_61_a_misspelled_parameter_is_told():
    given = Parameters(config({"intra_op_threads_count": "2", "digest": "1"}))
    assert list(misspelled(given)) == [
        "parameter 'intra_op_threads_count' is not read; did you mean 'intra_op_thread_count'?"
    ]


def accelerated(kind: str, name: str, **parameters: str) -> dict[str, Any]:
    accelerators = {kind: [{"name": name, "parameters": parameters}]}
    return config(optimization={"execution_accelerators": accelerators})


@pytest.mark.parametrize("kind", ["gpu_execution_accelerator", "cpu_execution_accelerator"])
def test_53_an_unknown_accelerator_is_refused(kind: str):
    given = accelerated(kind, "warp")
    with pytest.raises(LoadError, match=r"^unknown Execution Accelerator 'warp' is requested$"):
        [read_settings(given, cores=1), *check_accelerators(given)]


def test_53_openvino_needs_an_onnxruntime_that_has_it():
    with pytest.raises(LoadError, match="unknown Execution Accelerator 'openvino' is requested: "):
        read_settings(accelerated("cpu_execution_accelerator", "openvino"), cores=1)


@pytest.mark.parametrize("name", ["tensorrt", "cuda"])
def test_a_gpu_accelerator_is_left_out_with_a_warning(name: str):
    (warning,) = check_accelerators(accelerated("gpu_execution_accelerator", name))
    assert warning == f"Execution Accelerator '{name}' needs a GPU; the model runs on the CPU"


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (
            {"workspace": "1"},
            "unknown parameter 'workspace' is provided for TensorRT Execution Accelerator",
        ),
        ({"precision_mode": "FP8"}, "unsupported precision mode 'FP8' is requested"),
    ],
)
def test_54_tensorrt_parameters_are_checked(parameters: dict[str, str], text: str):
    given = accelerated("gpu_execution_accelerator", "tensorrt", **parameters)
    with pytest.raises(LoadError, match=f"^{text}$"):
        list(check_accelerators(given))


@pytest.mark.parametrize(
    ("name", "value"), [("cudnn_conv_algo_search", "3"), ("arena_extend_strategy", "2")]
)
def test_55_cuda_choices_are_checked(name: str, value: str):
    with pytest.raises(LoadError, match=f"^unsupported {name} value '{value}' is requested$"):
        list(check_accelerators(config({name: value})))
    assert list(check_accelerators(config({name: "1"}))) == []


def test_a_session_runs_under_every_setting(double: Path):
    found = settings(
        {
            "enable_mem_arena": "1",
            "enable_mem_pattern": "0",
            "execution_mode": "1",
            "memory.enable_memory_arena_shrinkage": "cpu:0",
            "session.use_device_allocator_for_initializers": "1",
        },
        optimization={"graph": {"level": -1}},
    )
    session = open_session(double, found)
    x = np.ones((1, 2), np.float32)
    (y,) = session.run(None, {"x": x}, found.run_options())
    assert y.tolist() == [[2, 2]]


def test_the_graph_is_read_with_its_initializers(tmp_path: Path):
    text = "(float[b,2] x, string s, float16[] h) => (float[b,2] y) <float[2] w = {1, 2}>"
    body = "{ y = Add(x, w) }"
    graph = read_graph(open_session_for_graph(save(text + body, tmp_path / "m.onnx"), config()))
    shapes = {name: (t.data_type, t.shape) for name, t in graph.inputs.items()}
    assert shapes == {
        "x": ("TYPE_FP32", (-1, 2)),
        "s": ("TYPE_STRING", ()),
        "h": ("TYPE_FP16", ()),
    }
    assert not graph.batchable


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        (
            "(float[2] x) => (seq(float[2]) y) { y = SequenceConstruct(x) }",
            "ONNX_TYPE_SEQUENCE",
            "y",
        ),
        (
            "(optional(float[2]) o) => (float[2] y) { y = OptionalGetElement(o) }",
            "ONNX_TYPE_UNKNOWN",
            "o",
        ),
    ],
)
def test_what_is_no_tensor_is_refused(text: str, kind: str, name: str, tmp_path: Path):
    session = open_session_for_graph(save(text, tmp_path / "m.onnx"), config())
    with pytest.raises(LoadError) as error:
        read_graph(session)
    assert str(error.value) == (
        f"Unsupported ONNX Type '{kind}' for I/O '{name}', expected 'ONNX_TYPE_TENSOR'."
    )


def test_a_corrupt_file_is_refused_with_onnxruntimes_reason(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(LoadError) as error:
        open_session_for_graph(tmp_path / "model.onnx", config())
    assert str(error.value) == (
        f"onnx runtime error 7: Load model from {tmp_path}/model.onnx failed:"
        "Protobuf parsing failed."
    )


def test_58_an_operator_set_that_is_too_new_is_refused(tmp_path: Path):
    text = '<ir_version: 8, opset_import: ["": 999]> g (float[2] x) => (float[2] y) {y = Abs(x)}'
    onnx.save(parser.parse_model(text), tmp_path / "model.onnx")
    with pytest.raises(LoadError, match=r"onnx runtime error 1: .*[Oo]pset 999 is under develop"):
        open_session(tmp_path / "model.onnx", settings())


def test_59_external_data_lies_beside_the_model(tmp_path: Path):
    path = tmp_path / "m.onnx"
    save("(float[b,512] x, float[512] w) => (float[b,512] y) { y = Add(x, w) }", path)
    model = onnx.load(path)
    model.graph.input.pop()
    model.graph.initializer.append(numpy_helper.from_array(np.ones(512, np.float32), "w"))
    onnx.save(model, path, save_as_external_data=True, location="m.data")
    assert (tmp_path / "m.data").stat().st_size == 2048
    (y,) = open_session(path, settings()).run(None, {"x": np.ones((1, 512), np.float32)})
    assert y.sum() == 1024
    (tmp_path / "m.data").unlink()
    with pytest.raises(LoadError, match=r"onnx runtime error .*m.data"):
        open_session(path, settings())


def test_the_artifact_is_model_onnx_or_the_default_model_filename(tmp_path: Path):
    for name in ("model.onnx", "other.onnx"):
        (tmp_path / name).touch()
    assert find_artifact(config(), tmp_path) == tmp_path / "model.onnx"
    named = config(default_model_filename="other.onnx")
    assert find_artifact(named, tmp_path) == tmp_path / "other.onnx"


def test_the_artifact_may_be_a_folder(tmp_path: Path):
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(LoadError) as error:
        find_artifact(config(), tmp_path)
    inner = tmp_path / "model.onnx" / "model.onnx"
    assert str(error.value) == f"unable to find '{inner}' for model instance 'm'"
    inner.touch()
    assert find_artifact(config(), tmp_path) == inner


def test_a_missing_artifact_is_named(tmp_path: Path):
    with pytest.raises(LoadError, match=f"^failed to stat file {tmp_path}/model.onnx$"):
        find_artifact(config(), tmp_path)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({}, None),
    ],
)
def test_the_quota_of_the_cgroup_limits_the_cores(
    files: dict[str, str], expected: int | None, tmp_path: Path
):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    everything = available_cores(tmp_path / "none")
    assert everything >= 1
    assert available_cores(tmp_path) == (expected or everything)
