"""Cases of the rules on warm-up requests."""

from __future__ import annotations

from tests.repository.check.case import Case, Files
from tests.repository.check.cases.batching import TRAPS
from tests.repository.check.cases.sequence import STARTED
from tests.repository.check.models import DYNAMIC, graph_model, python_model


def warmed(given: str, name: str = "x", **files: bytes) -> Files:
    return python_model(
        'max_batch_size: 8\nmodel_warmup [{ name: "w" batch_size: 1\n'
        f'inputs {{ key: "{name}" value {{ {given} }} }} }}]',
        **files,
    )


ASKED = "the server is asked for another text of the rule"
NOW_AND_THEN = "it refuses the model, and now and then ends with it"
NOTE = (
    "NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be "
    "prepended to each input shape. If you want to specify the full shape including the batch dim "
    "in your input dims config, try setting max_batch_size to zero. See the model configuration "
    "docs for more info on max_batch_size."
)
REQUEST = "[request id: <id_unknown>] "
CASES = [
    Case(
        "TK096",
        fails=warmed("data_type: TYPE_FP32 dims: [-1] zero_data: true"),
        passes=DYNAMIC,
        says="warmup setting expects all variable-size dimensions are specified for input 'x'",
        at="-1]",
    ),
    Case(
        "TK097",
        fails=warmed(
            'data_type: TYPE_FP32 dims: [4] input_data_file: "row"', warmup__row=bytes(15)
        ),
        passes=DYNAMIC,
        says=f"{REQUEST}warmup setting expects 16 bytes, but the data provided from rowonly has "
        "15 bytes",
        at='"row"',
    ),
    Case(
        "TK098",
        fails=warmed("data_type: TYPE_FP32 dims: [4]"),
        passes=DYNAMIC,
        says=f"{REQUEST}warmup setting expects input 'x' to have input_data_type set",
        at='"x" value',
    ),
    Case(
        "TK099",
        fails=warmed("data_type: TYPE_INT32 dims: [4] zero_data: true"),
        passes=DYNAMIC,
        says=f"{REQUEST}inference input 'x' data-type is 'INT32', but model 'm' expects 'FP32'",
        at="TYPE_INT32",
    ),
    Case(
        "TK165",
        fails=warmed('data_type: TYPE_FP32 dims: [4] input_data_file: "row"'),
        passes=DYNAMIC,
        says="failed to open text file for read {repository}/m/warmup/row: No such file or "
        "directory",
        at='"row"',
    ),
    Case(
        "TK099",
        fails=python_model(
            'max_batch_size: 8\nmodel_warmup [{ name: "w" batch_size: 1\n'
            'inputs { key: "z" value { data_type: TYPE_FP32 dims: [4] zero_data: true } } }]'
        ),
        passes=DYNAMIC,
        says=f"{REQUEST}expected 1 inputs but got 0 inputs for model 'm'. Got input(s) [], but "
        "missing required input(s) ['x']. Please provide all required input(s).",
        at="{ name",
        unasked=ASKED,
    ),
    Case(
        "TK099",
        fails=warmed("data_type: TYPE_FP32 dims: [1, 4] zero_data: true"),
        passes=DYNAMIC,
        says=f"{REQUEST}unexpected shape for input 'x' for model 'm'. Expected [-1,4], got "
        f"[1,1,4]. {NOTE}",
        at="1, 4]",
        unasked=ASKED,
    ),
    Case(
        "TK167",
        fails=graph_model(
            'model_warmup { name: "w" batch_size: 9\n'
            'inputs { key: "x" value { data_type: TYPE_FP32 dims: [4] zero_data: true } } }'
        ),
        passes=DYNAMIC,
        says="failed to run warmup sample 'w': batch size 9 for 'm_0_0', max allowed is 8",
        at="9",
        unasked=NOW_AND_THEN,
    ),
    Case(
        "TK171",
        fails=graph_model(
            'model_warmup { name: "w" batch_size: 1\n'
            'inputs { key: "x" value { data_type: TYPE_FP32 dims: [4] zero_data: true } }\n'
            'inputs { key: "z" value { data_type: TYPE_FP32 dims: [4] zero_data: true } } }'
        ),
        passes=STARTED,
        says="failed to run warmup sample 'w': onnx runtime error 2: Invalid input name: z",
        at='"z"',
        unasked=NOW_AND_THEN,
    ),
    Case(
        "TK165",
        fails=warmed(
            'data_type: TYPE_FP32 dims: [4] input_data_file: "rows"', warmup__rows__row=bytes(16)
        ),
        passes=DYNAMIC,
        at='"rows"',
        unasked="the whole server ends",
    ),
    Case(
        "TK169",
        fails=warmed("data_type: TYPE_FP32 dims: [999999999999] zero_data: true"),
        passes=DYNAMIC,
        at="999999999999",
        unasked="the whole server ends",
    ),
    Case("TK166", fails=TRAPS, passes=DYNAMIC, at="model_warmup {"),
]
