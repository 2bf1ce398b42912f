"""What is right, and looks like a mistake: the rules leave it alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from onnx import TensorProto, helper
from tests.repository.check import onnx_files
from tests.repository.check.case import PYTHON, Files, write_files
from tests.repository.check.models import graph_model

from tritonkit.repository.check.check import check
from tritonkit.repository.check.parameter import read_integer
from tritonkit.repository.check.release import Release
from tritonkit.repository.check.target import Target

COMPLETES = (
    f"{PYTHON}    @staticmethod\n    def auto_complete_config(config):\n        return config\n"
)
WARMED = """
model_warmup {
  name: "w" batch_size: 4 inputs { key: "x" value { data_type: TYPE_FP32 dims: 4 zero_data: true } }
}
"""
RIGHT: dict[str, Files] = {
    # The engine says how many rows it takes, and what it gives.
    "engine": {
        "m/config.pbtxt": 'platform: "tensorrt_plan"\ndynamic_batching { }\n'
        f'input {{ name: "x" data_type: TYPE_FP32 dims: 1 reshape {{ }} }}\n{WARMED}'.replace(
            "dims: 4", "dims: 1"
        ),
        "m/1/model.plan": b"",
    },
    # model.py says it.
    "completes": {
        "m/config.pbtxt": 'backend: "python"\ndynamic_batching { }\n'
        f'input {{ name: "x" }}\n{WARMED}',
        "m/1/model.py": COMPLETES,
    },
    # As a server's JSON has it: with what is empty, off and 0.
    "written out": {
        "m/config.pbtxt": """
            name: "m", platform: "", backend: "python", runtime: ""
            version_policy: { specific: { versions: [ 1 ] } }
            max_batch_size: 8
            input: [ { name: "x", data_type: TYPE_FP32, format: FORMAT_NONE, dims: [ 1 ],
                is_shape_tensor: false, allow_ragged_batch: false, optional: false } ]
            output: [ { name: "y", data_type: TYPE_FP32, dims: [ 1 ], label_filename: "" } ]
            batch_input: [], batch_output: []
            optimization: { priority: PRIORITY_DEFAULT, input_pinned_memory: { enable: true } }
            dynamic_batching: { preferred_batch_size: [ 8 ], max_queue_delay_microseconds: 0,
                priority_levels: 0, default_priority_level: 0, priority_queue_policy: {} }
            instance_group: [ { name: "m_0", kind: KIND_CPU, count: 3, gpus: [], profile: [],
                passive: false, host_policy: "" } ]
            cc_model_filenames: {}, metric_tags: {}, parameters: {}, model_warmup: []
            model_operations: {}
        """,
        "m/1/model.py": PYTHON,
    },
    "savedmodel": {
        "m/config.pbtxt": 'platform: "tensorflow_savedmodel"\ndynamic_batching { }\n',
        "m/1/model.savedmodel/": "",
    },
}


@pytest.mark.parametrize("files", RIGHT.values(), ids=RIGHT)
def test_what_a_backend_fills_in_is_not_missing(tmp_path: Path, files: Files):
    write_files(tmp_path, files)

    assert [f"{one.rule.id} {one.found.message}" for one in check(tmp_path).findings] == []


@pytest.mark.parametrize(
    ("name", "value"), [("intra_op_thread_count", "four"), ("enable_mem_arena", "yes")]
)
def test_a_mistake_is_found_by_one_rule(tmp_path: Path, name: str, value: str):
    written = f'parameters {{ key: "{name}" value {{ string_value: "{value}" }} }}\n'
    write_files(tmp_path, graph_model(written))

    assert [one.rule.id for one in check(tmp_path).findings] == ["TK151"]


def test_inputs_that_vary_are_one_finding(tmp_path: Path):
    write_files(
        tmp_path,
        {
            "m/config.pbtxt": 'backend: "python"\nmax_batch_size: 8\ndynamic_batching { }\n'
            'input { name: "ids" data_type: TYPE_INT64 dims: -1 }\n'
            'input { name: "mask" data_type: TYPE_INT64 dims: -1 }\n'
            'input { name: "rows" data_type: TYPE_INT64 dims: -1 allow_ragged_batch: true }\n'
            'output { name: "y" data_type: TYPE_FP32 dims: 1 }\n',
            "m/1/model.py": PYTHON,
        },
    )

    (one,) = check(tmp_path).findings

    assert (one.rule.id, one.line, one.found.tensor) == ("TK072", 4, "ids")
    assert "Inputs 'ids', 'mask' have" in one.found.message
    assert "allow_ragged_batch: true" in one.found.advice


@pytest.mark.parametrize("digits", [10, 20, 10_000])
def test_a_number_of_any_length_is_read(tmp_path: Path, digits: int):
    value = f'value {{ string_value: "{"9" * digits}" }}'
    number = f'parameters {{ key: "intra_op_thread_count" {value} }}'
    group = f'instance_group {{ kind: KIND_GPU profile: "{"9" * digits}" }}\n'
    write_files(
        tmp_path,
        {
            **graph_model(number),
            "engine/config.pbtxt": f'platform: "tensorrt_plan"\n{group}',
            "engine/1/model.plan": b"",
        },
    )

    assert [one.rule.id for one in check(tmp_path).findings] == ["TK094", "TK151"]


def test_leading_zeros_are_no_size():
    assert read_integer(f"{'0' * 30}4") == 4
    assert read_integer("-007 threads") == -7
    assert read_integer("four") is None


def test_findings_of_one_line_share_its_text(tmp_path: Path):
    """Thousands of them in a line of megabytes would else fill the memory."""
    write_files(
        tmp_path, graph_model(f"dynamic_batching {{ preferred_batch_size: [{'9, ' * 99}9] }}")
    )

    sources = {id(one.source) for one in check(tmp_path).findings if one.rule.id == "TK066"}

    assert len(sources) == 1


def test_a_pipe_in_the_place_of_model_py_is_not_waited_for(tmp_path: Path):
    write_files(
        tmp_path, {"m/config.pbtxt": 'backend: "python"\nresponse_cache { enable: true }\n'}
    )
    (tmp_path / "m" / "1").mkdir()
    os.mkfifo(tmp_path / "m" / "1" / "model.py")

    assert "TK007" in [one.rule.id for one in check(tmp_path).findings]


def test_a_name_is_told_as_it_is_written(tmp_path: Path):
    tensors = 'input { name: "INPUT_IDs" data_type: TYPE_INT64 }\noutput { name: "LOGITS" }\n'
    write_files(
        tmp_path, {"m/config.pbtxt": f'backend: "python"\n{tensors}', "m/1/model.py": PYTHON}
    )

    assert [one.found.message for one in check(tmp_path).findings] == [
        "Input 'INPUT_IDs' has no dims.",
        "Output 'LOGITS' has no data_type.",
        "Output 'LOGITS' has no dims.",
    ]


def test_an_input_that_is_too_many_is_to_be_left_out(tmp_path: Path):
    files = dict(graph_model(""))
    config = str(files["m/config.pbtxt"])
    files["m/config.pbtxt"] = f'{config}\ninput {{ name: "x2" data_type: TYPE_FP32 dims: 4 }}\n'
    write_files(tmp_path, files)

    findings = check(tmp_path).findings

    assert [(one.rule.id, one.source.split(" ")[3]) for one in findings] == [
        ("TK045", '"x2"'),
        ("TK046", '"x2"'),
    ]
    assert findings[1].found.advice == "Leave it out: the inputs of the graph are all there."


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("trt_fp16_enable", "Write precision_mode with the value FP16."),
        ("trt_max_workspace_size", "Write max_workspace_size_bytes."),
        ("trt_engine_cache_enabled", "Write trt_engine_cache_enable."),
        ("max_cached_engines", "Leave it out."),
    ],
)
def test_what_onnxruntime_calls_otherwise_is_told(tmp_path: Path, key: str, advice: str):
    asked = f'name: "tensorrt" parameters {{ key: "{key}" value: "1" }}'
    accelerators = f"execution_accelerators {{ gpu_execution_accelerator {{ {asked} }} }}"
    write_files(tmp_path, graph_model(f"optimization {{ {accelerators} }}"))

    assert [one.found.advice for one in check(tmp_path).findings] == [advice]


@pytest.mark.parametrize(("release", "found"), [("24.10", ["TK033"]), ("26.01", [])])
def test_bf16_is_a_matter_of_the_release(tmp_path: Path, release: str, found: list[str]):
    tensors = 'input [{ name: "x" data_type: TYPE_BF16 dims: [2, 4] }]\n'
    tensors += 'output [{ name: "y" data_type: TYPE_FP32 dims: [2, 4] }]\n'
    value = onnx_files.typed("x", TensorProto.BFLOAT16, (2, 4)), onnx_files.typed("y", shape=(2, 4))
    cast = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
    write_files(
        tmp_path,
        {
            "m/config.pbtxt": f'backend: "onnxruntime"\n{tensors}',
            "m/1/model.onnx": onnx_files.nodes([cast], [value[0]], [value[1]]),
        },
    )
    target = Target(release=Release.parse(release))

    rules = [one.rule.id for one in check(tmp_path, target=target).findings]

    assert [rule for rule in rules if rule != "TK153"] == found
    assert ("TK153" in rules) is bool(found)
