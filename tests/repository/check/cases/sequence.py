"""Cases of the rules on the sequence batcher."""

from __future__ import annotations

from tests.repository.check.case import Case, Files
from tests.repository.check.models import SEQUENCE, graph_model, python_model

START = "kind: CONTROL_SEQUENCE_START"
VALUES = "int32_false_true: [0, 1]"
ID = "kind: CONTROL_SEQUENCE_CORRID"
IDS = (
    "unexpected data type for control CONTROL_SEQUENCE_CORRID for m. Allowed data types are "
    "TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32 and TYPE_STRING"
)


def sequences(batching: str) -> Files:
    return python_model(f"max_batch_size: 8\nsequence_batching {{\n{batching}\n}}")


def control(values: str, name: str = "S") -> str:
    return f'control_input [{{ name: "{name}" control [{{ {values} }}] }}]\n'


def state(initial: str, **files: bytes) -> Files:
    config = f"""\
max_batch_size: 8
sequence_batching {{
  state [{{
    input_name: "OLD" output_name: "NEW" data_type: TYPE_FP32 dims: [-1, 2]
    initial_state {{ {initial} }}
  }}]
}}
"""
    return python_model(config, **files)


def graph_state(fields: str) -> Files:
    return graph_model(f"sequence_batching {{ state {{ {fields} }} }}", start=True)


STARTED = graph_model(
    "sequence_batching {\n  direct { minimum_slot_utilization: 1 }\n"
    '  control_input { name: "START" control {\n'
    "    kind: CONTROL_SEQUENCE_START int32_false_true: [0, 1]\n  } }\n}",
    start=True,
)
ONE = 'name: "start" data_type: TYPE_FP32 dims: [1, 2]'
ASKED = "the server is asked for another text of the rule"
NO_STATES = "the embedded onnxruntime backend refuses all states"
NOW_AND_THEN = "it refuses the model, and now and then ends with it"

CASES = [
    Case(
        "TK083",
        fails=sequences("control_input [{ control [{ kind: CONTROL_SEQUENCE_READY }] }]"),
        passes=SEQUENCE,
        says="sequence batching control tensor must have a name for m",
        at="{ control",
    ),
    Case(
        "TK084",
        fails=sequences(
            control(f"{START} {VALUES}") + control(f"kind: CONTROL_SEQUENCE_END {VALUES}")
        ),
        passes=SEQUENCE,
        says="sequence batching control tensor 'S' is specified for multiple control kinds for m",
        at='"S" control [{ kind: CONTROL_SEQUENCE_END',
    ),
    Case(
        "TK085",
        fails=sequences(control(f"{START} {VALUES}") + control(VALUES, "E")),
        passes=SEQUENCE,
        says="sequence batching specifies multiple CONTROL_SEQUENCE_START tensors for m",
        at="{ int32_false_true",
    ),
    Case(
        "TK086",
        fails=sequences(control(START)),
        passes=SEQUENCE,
        says="sequence batching must specify either 'int32_false_true', 'fp32_false_true' or "
        "'bool_false_true' for CONTROL_SEQUENCE_START for m",
        at="{ kind",
    ),
    Case(
        "TK086",
        fails=sequences(control(f"{START} {VALUES} fp32_false_true: [0, 1]")),
        passes=SEQUENCE,
        says="sequence batching specifies more than one from 'int32_false_true', "
        "'fp32_false_true' and 'bool_false_true' for CONTROL_SEQUENCE_START for m",
        at="0, 1] }] }]",
    ),
    Case(
        "TK086",
        fails=sequences(control(f"{START} bool_false_true: [true]")),
        passes=SEQUENCE,
        says="sequence batching control 'bool_false_true' must have exactly 2 entries for "
        "CONTROL_SEQUENCE_START for m",
        at="true]",
    ),
    Case(
        "TK087",
        fails=sequences(control(f"{ID} {VALUES}")),
        passes=SEQUENCE,
        says="sequence batching must not specify either 'int32_false_true', 'fp32_false_true' or "
        "'bool_false_true' for CONTROL_SEQUENCE_CORRID for m",
        at="0, 1] }] }]",
    ),
    Case(
        "TK087",
        fails=sequences(control(f"{ID} data_type: TYPE_FP32")),
        passes=SEQUENCE,
        says=IDS,
        at="TYPE_FP32",
    ),
    Case("TK087", fails=sequences(control(ID)), passes=SEQUENCE, says=IDS, at="{ kind"),
    Case(
        "TK088",
        fails=sequences("oldest { preferred_batch_size: [4, 9] }"),
        passes=SEQUENCE,
        says="sequence batching preferred batch size must be <= max batch size for m",
        at="9]",
    ),
    Case(
        "TK088",
        fails=sequences("oldest { preferred_batch_size: [-1, 4] }"),
        passes=SEQUENCE,
        says="sequence batching preferred batch size must be positive for m",
        at="-1,",
    ),
    Case(
        "TK089",
        fails=sequences("direct { minimum_slot_utilization: 1.5 }"),
        passes=STARTED,
        says="sequence batching minimum slot utilization must be in range (0.0, 1.0] for m",
        at="1.5",
    ),
    Case(
        "TK090",
        fails=graph_model(
            "sequence_batching {\n"
            + control(f"{START} bool_false_true: [false, true]", "START")
            + "}",
            start=True,
        ),
        passes=STARTED,
        says="unable to load model 'm', sequence control 'START', the model expects data-type "
        "INT32 but the model configuration specifies data-type TYPE_BOOL",
        at="{ kind",
    ),
    Case(
        "TK090",
        fails=graph_model(
            "sequence_batching {\n" + control(f"{START} {VALUES}", "BEGIN") + "}", start=True
        ),
        passes=STARTED,
        says="configuration specified sequence control 'BEGIN', but model does not provide that "
        "input",
        at='"BEGIN"',
        unasked=ASKED,
    ),
    Case(
        "TK090",
        fails=graph_model(
            "sequence_batching {\n"
            + control("kind: CONTROL_SEQUENCE_END fp32_false_true: [0, 1]", "x")
            + "}"
        ),
        passes=STARTED,
        says="unable to load model 'm', sequence control 'x' in model has dims [4] but dims [1] is "
        "expected",
        at='"x"',
        unasked=ASKED,
    ),
    Case(
        "TK162",
        fails=state('name: "start" data_type: TYPE_INT32 dims: [1, 2] zero_data: true'),
        passes=SEQUENCE,
        says="The data type used for 'initial_state' field of state 'OLD' does not match the state "
        "data type.",
        at="TYPE_INT32",
        unasked=NOW_AND_THEN,
    ),
    Case(
        "TK162",
        fails=state("data_type: TYPE_FP32 dims: [1, 2] zero_data: true"),
        passes=SEQUENCE,
        says="Field 'name' must be set when using initial_state for state input 'OLD'.",
        at="initial_state {",
        unasked=NOW_AND_THEN,
    ),
    Case(
        "TK162",
        fails=state('name: "start" data_type: TYPE_FP32 dims: [2] zero_data: true'),
        passes=SEQUENCE,
        says="Number of dimensions in 'initial_state' doesn't match the size of 'state' dimensions "
        "for state input 'OLD'. 1 != 2",
        at="2] zero_data",
        unasked=NOW_AND_THEN,
    ),
    Case(
        "TK162",
        fails=state('name: "start" data_type: TYPE_FP32 dims: [-1, 2] zero_data: true'),
        passes=SEQUENCE,
        says="'initial_state' field for state input name 'OLD' contains variable dimensions.",
        at="-1, 2] zero_data",
        unasked=NOW_AND_THEN,
    ),
    Case(
        "TK162",
        fails=state('name: "start" data_type: TYPE_FP32 dims: [1, 3] zero_data: true'),
        passes=SEQUENCE,
        says="'initial_state' dim for input name 'OLD' doesn't match 'state' dim description. "
        "3 != 2",
        at="3] zero_data",
        unasked=NOW_AND_THEN,
    ),
    Case(
        "TK163",
        fails=state(f'{ONE} data_file: "start"', initial_state__start=bytes(7)),
        passes=SEQUENCE,
        says="initial_state setting expects 8 bytes, but the data provided from startonly has 7 "
        "bytes.",
        at='"start" }',
        unasked=NOW_AND_THEN,
    ),
    Case(
        "TK163",
        fails=state(f'{ONE} data_file: "start"'),
        passes=SEQUENCE,
        says="failed to open text file for read {repository}/m/initial_state/start: No such file "
        "or directory",
        at='"start" }',
        unasked=NOW_AND_THEN,
    ),
    Case(
        "TK163",
        fails=state(ONE),
        passes=SEQUENCE,
        says="initial_state setting expects state'OLD' to have state_data set",
        at="initial_state {",
        unasked=NOW_AND_THEN,
    ),
    Case(
        "TK163",
        fails=state(f'{ONE} data_file: "starts"', initial_state__starts__start=bytes(8)),
        passes=SEQUENCE,
        at='"starts" }',
        unasked="the whole server ends",
    ),
    Case(
        "TK170",
        fails=state('name: "start" data_type: TYPE_FP32 dims: [1, -2] zero_data: true'),
        passes=SEQUENCE,
        at="-2] zero_data",
        unasked="the whole server ends",
    ),
    Case(
        "TK173",
        fails=graph_state('input_name: "STATE" output_name: "y" data_type: TYPE_FP32 dims: 4'),
        passes=STARTED,
        at='"STATE"',
        unasked=NO_STATES,
    ),
    Case(
        "TK173",
        fails=graph_state('input_name: "START" output_name: "y" data_type: TYPE_FP32 dims: 1'),
        passes=STARTED,
        at="TYPE_FP32 dims: 1",
        unasked=NO_STATES,
    ),
    Case(
        "TK173",
        fails=graph_state('input_name: "START" data_type: TYPE_INT32 dims: 1'),
        passes=STARTED,
        at="state {",
        unasked=NO_STATES,
    ),
]
