"""Cases of the rules on inputs and outputs, their formats, data types and reshapes."""

from __future__ import annotations

from tests.repository.check.case import PYTHON, Case, Files

INPUT = 'input [{ name: "x" data_type: TYPE_FP32 dims: [4] }]\n'
OUTPUT = 'output [{ name: "y" data_type: TYPE_FP32 dims: [4] }]\n'
NOT_THERE = "the embedded server has no such backend"
ASKED = "it is asked in another case of the rule"


def python(config: str) -> Files:
    """A Python model; core's checks come before its code is started."""
    return {"m/config.pbtxt": f'backend: "python"\n{config}', "m/1/model.py": PYTHON}


def of_input(fields: str, *, size: int = 8) -> Files:
    """A Python model with these fields in its input."""
    return python(f"max_batch_size: {size}\ninput [{{ {fields} }}]\n{OUTPUT}")


def of_output(fields: str) -> Files:
    """A Python model with these fields in its output."""
    return python(f"{INPUT}output [{{ {fields} }}]")


def of_backend(backend: str, config: str) -> Files:
    """A model of a backend that is not there."""
    return {"m/config.pbtxt": f'backend: "{backend}"\n{config}', "m/1/": ""}


X = 'name: "x" data_type: TYPE_FP32'
Y = 'name: "y" data_type: TYPE_FP32'
RIGHT = python(
    f"""max_batch_size: 8
input [
  {{ {X} dims: [2, -1, 6] reshape {{ shape: [1, 2, -1, 3, 2] }} }},
  {{ name: "one" data_type: TYPE_FP32 dims: [1] reshape {{ shape: [] }} }},
  {{ name: "image" data_type: TYPE_UINT8 dims: [3, 8, 8] format: FORMAT_NCHW optional: true }}
]
output [{{ {X} dims: [4] reshape {{ shape: [2, 2] }} }}]
"""
)

CASES = [
    Case(
        "TK018",
        fails=of_input("data_type: TYPE_FP32 dims: [4]"),
        passes=RIGHT,
        says="model input must specify 'name' for m",
        at="{ data_type",
    ),
    Case(
        "TK018",
        fails=of_output("data_type: TYPE_FP32 dims: [4]"),
        passes=RIGHT,
        says="model output must specify 'name' for m",
        at="{ data_type",
        unasked=ASKED,
    ),
    Case(
        "TK019",
        fails=of_input('name: "x" dims: [4]'),
        passes=RIGHT,
        says="model input 'x' must specify 'data_type' for m",
        at='{ name: "x"',
    ),
    Case(
        "TK020",
        fails=of_output(Y),
        passes=RIGHT,
        says="model output 'y' must specify 'dims' for m",
        at='{ name: "y"',
    ),
    Case(
        "TK021",
        fails=of_input(f"{X} dims: [3, 0, -2, -1]"),
        passes=RIGHT,
        says="model input 'x' dimension must be integer >= 1, or -1 to indicate a variable-size "
        "dimension for m",
        at="-2, -1]",
        finds=2,
    ),
    Case(
        "TK022",
        fails=of_input(f"{X} dims: [4] reshape {{ shape: [4, 0] }}"),
        passes=RIGHT,
        says="model input 'x' reshape dimensions must be integer >= 1, or -1 to indicate a "
        "variable-size dimension for m",
        at="0] }",
    ),
    Case(
        "TK023",
        fails=of_output(f"{Y} dims: [1] reshape {{ shape: [] }}"),
        passes=RIGHT,
        says="model output 'y' cannot have empty reshape for non-batching model as scalar tensors "
        "are not supported for m",
        at="reshape",
    ),
    *(
        Case(
            "TK024",
            fails=of_input(f"{X} dims: {dims} reshape {{ shape: {shape} }}"),
            passes=RIGHT,
            says="model input 'x' has different size for dims and reshape for m",
            at="reshape",
            unasked="" if shape == "[2, 3]" else ASKED,
        )
        for dims, shape in (
            ("[4]", "[2, 3]"),
            ("[4]", "[]"),
            ("[-1]", "[]"),
            ("[-1]", "[3]"),
            ("[4]", "[-1]"),
            ("[4, -1]", "[-1, 4]"),
            ("[2, -1, 2]", "[1, -1, 4]"),
        )
    ),
    Case(
        "TK025",
        fails=of_input(f"{X} dims: [4, -1] reshape {{ shape: [4, -1, -1] }}"),
        passes=RIGHT,
        says="model input 'x' has different number of variable-size dimensions for dims and "
        "reshape for m",
        at="reshape",
    ),
    Case(
        "TK026",
        fails=of_input(f"{X} dims: [8, 8] format: FORMAT_NHWC"),
        passes=RIGHT,
        says="model input NHWC/NCHW require 3 dims for m",
        at="8, 8]",
    ),
    Case(
        "TK027",
        fails=of_output(f"{Y} dims: [4] is_shape_tensor: true"),
        passes=RIGHT,
        says="shape tensors are only supported for TensorRT platform for m",
        at="true",
    ),
    Case(
        "TK028",
        fails=of_input(f"{X} dims: [4] is_non_linear_format_io: true"),
        passes=RIGHT,
        says="Non-linear IO format is only supported for the TensorRT platform for m",
        at="true",
    ),
    Case(
        "TK028",
        fails=of_backend(
            "tensorrt",
            f"input [{{ {X} dims: [4] is_non_linear_format_io: true }}]\n{OUTPUT}",
        ),
        passes=RIGHT,
        says="Non-linear IO format input requires 3 dims for m",
        at="4]",
        unasked=NOT_THERE,
    ),
    Case(
        "TK029",
        fails=python(f"input [{{ {X} dims: [4] }}, {{ {X} dims: [4] }}]\n{OUTPUT}"),
        passes=RIGHT,
        says="expected 2 inputs but got 1 inputs for model 'm'",
        at='"x" data_type: TYPE_FP32 dims: [4] }]',
    ),
    Case(
        "TK029",
        fails=python(f"{INPUT}output [{{ {Y} dims: [4] }}, {{ {Y} dims: [4] }}]"),
        passes=RIGHT,
        at='"y" data_type: TYPE_FP32 dims: [4] }]',
        unasked=ASKED,
    ),
    Case(
        "TK030",
        fails=of_backend("pytorch", f"input [{{ {X} dims: [4] optional: true }}]\n{OUTPUT}"),
        passes=RIGHT,
        says="'optional' is set to true for input 'x' while the backend model doesn't support "
        "optional input",
        at="true",
        unasked=NOT_THERE,
    ),
    *(
        Case(
            "TK033",
            fails=of_backend(
                backend, f'{INPUT}output [{{ name: "y" data_type: {kind} dims: [1] }}]'
            ),
            passes=RIGHT,
            says=""
            if backend == "tensorrt"
            else f"unsupported datatype {kind} for output 'y' for model 'm'",
            at=kind,
            unasked=NOT_THERE,
        )
        for backend, kind in (
            ("pytorch", "TYPE_UINT16"),
            ("openvino", "TYPE_STRING"),
            ("tensorrt", "TYPE_FP64"),
        )
    ),
    Case(
        "TK034",
        fails=of_backend(
            "pytorch",
            f"""input [{{ name: "image__0" data_type: TYPE_FP32 dims: [4] }},
                       {{ name: "mask" data_type: TYPE_FP32 dims: [4] }}]\n{OUTPUT}""",
        ),
        passes=RIGHT,
        at='"mask"',
        unasked=NOT_THERE,
    ),
    Case(
        "TK156",
        fails={
            **of_output(f'{Y} dims: [4] label_filename: "labels.txt"'),
            "m/labels.txt": "a\nb\nc",
        },
        passes=RIGHT,
        at='"labels.txt"',
    ),
]
