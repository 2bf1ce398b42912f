"""Cases of the rules on parameters and accelerators of the onnxruntime backend."""

from __future__ import annotations

from tests.repository.check.case import Case, Files
from tests.repository.check.cases.graph import RIGHT, ROWS, X, Y, onnx
from tests.repository.check.cases.tensors import ASKED
from tests.repository.check.onnx_files import graph

from tritonkit.repository.check.target import Target

QUANTISED = """(float[b,4] x) => (float[b,4] y) <float s = {0.1}, uint8 z = {0}> {
    q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }"""
NO_GPU = "the server has no GPU"


def parameter(name: str, value: str) -> Files:
    """A model with one parameter."""
    text = f'parameters {{ key: "{name}" value {{ string_value: "{value}" }} }}'
    return onnx(ROWS, X, Y, more=text)


def accelerator(kind: str, fields: str, file: str = ROWS) -> Files:
    """A model with one accelerator."""
    asked = f"optimization {{ execution_accelerators {{ {kind} {{ {fields} }} }} }}"
    return onnx(graph(file), X, Y, more=asked)


CASES = [
    Case(
        "TK052",
        fails=parameter("execution_mode", "2"),
        passes=RIGHT,
        says="Invalid configuration value provided. Expected values for  execution_mode are 0 or 1 "
        "but got 2 .",
        at='"2"',
    ),
    Case(
        "TK053",
        fails=accelerator("gpu_execution_accelerator", 'name: "trt"'),
        passes=RIGHT,
        says="unknown Execution Accelerator 'trt' is requested",
        at='"trt"',
    ),
    Case(
        "TK053",
        fails=accelerator("cpu_execution_accelerator", 'name: "tensorrt"'),
        passes=RIGHT,
        says="unknown Execution Accelerator 'tensorrt' is requested",
        at='"tensorrt"',
        unasked=ASKED,
    ),
    Case(
        "TK054",
        fails=accelerator(
            "gpu_execution_accelerator",
            'name: "tensorrt" parameters { key: "trt_fp16_enable" value: "1" }',
        ),
        passes=RIGHT,
        says="unknown parameter 'trt_fp16_enable' is provided for TensorRT Execution Accelerator",
        at='"1"',
    ),
    Case(
        "TK054",
        fails=accelerator(
            "gpu_execution_accelerator",
            'name: "tensorrt" parameters { key: "precision_mode" value: "fp16" }',
        ),
        passes=RIGHT,
        says="unsupported precision mode 'fp16' is requested",
        at='"fp16"',
        unasked=ASKED,
    ),
    Case(
        "TK054",
        fails=accelerator(
            "gpu_execution_accelerator",
            'name: "tensorrt" parameters { key: "precision_mode" value: "BF16" }',
        ),
        passes=RIGHT,
        says="unsupported precision mode 'BF16' is requested",
        at='"BF16"',
        unasked=ASKED,
    ),
    Case(
        "TK055",
        fails=parameter("cudnn_conv_algo_search", "3"),
        passes=RIGHT,
        says="unsupported cudnn_conv_algo_search value '3' is requested",
        at='"3"',
    ),
    Case(
        "TK056",
        fails=accelerator(
            "gpu_execution_accelerator",
            'name: "tensorrt" parameters { key: "int8_calibration_table_name" value: "t" }',
            QUANTISED,
        ),
        passes=RIGHT,
        at='"t"',
        unasked=NO_GPU,
    ),
    Case(
        "TK057",
        fails=onnx(ROWS, X, Y, more="optimization { graph { level: 2 } }"),
        passes=RIGHT,
        at="2 }",
    ),
    Case(
        "TK060",
        fails={
            **onnx(QUANTISED, X, Y),
            "m/config.pbtxt": str(RIGHT["m/config.pbtxt"]).replace("KIND_CPU", "KIND_GPU"),
        },
        passes=RIGHT,
        at="KIND_GPU",
        unasked=NO_GPU,
    ),
    Case(
        "TK060",
        fails={
            **onnx(QUANTISED, X, Y),
            "m/config.pbtxt": str(RIGHT["m/config.pbtxt"]).partition("instance_group")[0],
        },
        passes=RIGHT,
        target=Target(gpus=1),
        unasked=NO_GPU,
    ),
    Case(
        "TK151",
        fails=parameter("intra_op_thread_count", "four"),
        passes=RIGHT,
        says="failed to convert 'four' to integral number",
        at='"four"',
    ),
    Case(
        "TK151",
        fails=parameter("enable_mem_arena", "yes"),
        passes=RIGHT,
        says="failed to convert 'yes' to boolean",
        at='"yes"',
        unasked=ASKED,
    ),
]
