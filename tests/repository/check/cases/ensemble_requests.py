from __future__ import annotations

from tests.repository.check.case import Case, Files
from tests.repository.check.cases.ensemble_config import PASSES, TENSOR, adder, ensemble, step

CHAIN = (step("add", {"x": "a"}, {"y": "b"}), step("add", {"x": "b"}, {"y": "c"}))
TWO = {"b": TENSOR, "c": TENSOR}
INNER: Files = {**adder(), "inner/config.pbtxt": ensemble(*CHAIN, outputs=TWO), "inner/1/": ""}
OUTER: Files = {
    **INNER,
    "m/config.pbtxt": ensemble(step("inner", {"a": "a"}, {"b": "b"})),
    "m/1/": "",
}
CASES = [
    Case(
        "TK184",
        fails=OUTER,
        passes=PASSES,
        says="in ensemble 'm', in ensemble 'inner', [request id: <id_unknown>] unexpected "
        "deadlock, at least one output is not set while no more ensemble steps can be made",
        at="output_map",
        unasked="test_built.py asks for single outputs of random ensembles",
    ),
    Case(
        "TK185",
        fails={**adder(), "m/config.pbtxt": ensemble(*CHAIN, outputs=TWO), "m/1/": ""},
        passes=PASSES,
        at='"b"',
        finds=2,
        unasked="test_built.py asks for single outputs of random ensembles",
    ),
]
