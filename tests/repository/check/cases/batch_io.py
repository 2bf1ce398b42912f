"""Cases of the rules on batch inputs and batch outputs."""

from __future__ import annotations

from tests.repository.check.case import Case, Files
from tests.repository.check.cases.tensors import ASKED, INPUT, OUTPUT, RIGHT, python


def of_batch_input(fields: str) -> Files:
    """A Python model with these fields in its batch input."""
    return python(
        f"max_batch_size: 8\n{INPUT}{OUTPUT}"
        f'batch_input [{{ kind: BATCH_ELEMENT_COUNT target_name: "n" {fields} }}]'
    )


def of_batch_output(fields: str) -> Files:
    """A Python model with these fields in its batch output."""
    return python(
        f"max_batch_size: 8\n{INPUT}{OUTPUT}"
        f"batch_output [{{ kind: BATCH_SCATTER_WITH_INPUT_SHAPE {fields} }}]"
    )


CASES = [
    *(
        Case(
            "TK035",
            fails=of_batch_input(f"data_type: TYPE_FP32 {sources}"),
            passes=RIGHT,
            says="batch input kind 'BATCH_ELEMENT_COUNT' expects 1 source input, got "
            f"{count} for m",
            at=at,
            unasked=ASKED if count else "",
        )
        for sources, count, at in (
            ("", 0, "{ kind"),
            ('source_input: ["x", "x"]', 2, '"x", "x"]'),
        )
    ),
    Case(
        "TK035",
        fails=of_batch_output('target_name: "y"'),
        passes=RIGHT,
        says="batch output kind 'BATCH_SCATTER_WITH_INPUT_SHAPE' expects 1 source input, got 0 "
        "for m",
        at="{ kind",
    ),
    *(
        Case(
            "TK036",
            fails=of_batch_input(f'{field} source_input: "x"'),
            passes=RIGHT,
            says=says,
            at=at,
        )
        for field, at, says in (
            (
                "data_type: TYPE_INT64",
                "TYPE_INT64",
                "batch input data type must be TYPE_INT32 or TYPE_FP32 for m",
            ),
            ("", "{ kind", "unexpected batch input data type 'TYPE_INVALID'"),
        )
    ),
    Case(
        "TK037",
        fails=of_batch_input('data_type: TYPE_FP32 source_input: "z"'),
        passes=RIGHT,
        says="unknown source input name 'z' for m",
        at='"z"',
    ),
    Case(
        "TK037",
        fails=of_batch_output('target_name: "y" source_input: "y"'),
        passes=RIGHT,
        says="unknown source input name 'y' for m",
        at='"y"',
        unasked=ASKED,
    ),
    Case(
        "TK038",
        fails=of_batch_output('target_name: ["y", "z"] source_input: "x"'),
        passes=RIGHT,
        says="unknown target output name 'z' for m",
        at='"z"',
    ),
    Case(
        "TK038",
        fails=of_batch_output('target_name: ["y", "y"] source_input: "x"'),
        passes=RIGHT,
        says="target output name 'y' can only be specified once for m",
        at='"y"]',
    ),
    Case(
        "TK039",
        fails=of_batch_input('data_type: TYPE_FP32 source_input: "x"'),
        passes=RIGHT,
        at="{ kind",
    ),
]
