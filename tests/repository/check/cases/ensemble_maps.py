from __future__ import annotations

from tests.repository.check.case import Case
from tests.repository.check.cases.ensemble_config import PASSES, ensemble, files, step

CASES = [
    Case(
        "TK110",
        fails=files(
            ensemble(
                step("add", {"x": "a"}, {"y": "b"}).replace(
                    "    input_map", '    input_map { key: "x" value: "gone" }\n    input_map'
                )
            )
        ),
        passes=PASSES,
        at='{ key: "x" value: "gone"',
    ),
    Case(
        "TK183",
        fails=files(ensemble("  max_inflight_requests: 4\n", step("add", {"x": "a"}, {"y": "b"}))),
        passes=PASSES,
        says='Message type "inference.ModelEnsembling" has no field named "max_inflight_requests".',
        at="4",
    ),
]
