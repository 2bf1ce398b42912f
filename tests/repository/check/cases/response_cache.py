"""Cases of the rules on the response cache."""

from __future__ import annotations

from tests.repository.check.case import Case
from tests.repository.check.cases.batching import TRAPS
from tests.repository.check.models import CACHED, DYNAMIC, python_model

from tritonkit.repository.check.target import Target

READS_PARAMETERS = """\
class TritonPythonModel:
    def execute(self, requests):
        return [request.parameters() for request in requests]
"""

CASES = [
    Case(
        "TK077",
        fails=python_model("response_cache { enable: true }\nsequence_batching { }"),
        passes=CACHED,
        says="Response Cache does not currently support model m with sequence batching scheduler. "
        "Please disable the response cache.",
        at="true }",
    ),
    Case(
        "TK078",
        fails=python_model(
            "response_cache { enable: true }\nmodel_transaction_policy { decoupled: true }"
        ),
        passes=CACHED,
        says="Response Cache does not currently support model m with 'decoupled' transaction "
        "policy. Please disable the response cache.",
        at="true }",
    ),
    Case("TK079", fails=CACHED, passes=DYNAMIC, at="true }", target=Target(cache=False)),
    Case("TK080", fails=TRAPS, passes=CACHED, at="-1] }]"),
    Case(
        "TK080",
        fails=python_model("response_cache { enable: true }", code=READS_PARAMETERS),
        passes=CACHED,
        at="true }",
        unasked="the server loads CACHED, whose configuration is the same",
    ),
    Case("TK161", fails=TRAPS, passes=CACHED, at="true }"),
]
