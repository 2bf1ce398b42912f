"""Cases of the rules on a configuration's text that Triton's parser lets pass."""

from __future__ import annotations

from tests.repository.check.case import Case
from tests.repository.check.models import DYNAMIC, python_model

CASES = [
    Case(
        "TK130",
        fails=python_model('parameters { key: "k" value { string_value: "a\\xff" } }'),
        passes=DYNAMIC,
        at='"a',
        unasked="the tests of texts ask whether its parser takes them",
    ),
]
