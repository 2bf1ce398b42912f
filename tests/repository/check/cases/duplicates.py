from __future__ import annotations

from tests.repository.check.case import Case
from tests.repository.check.cases.ensemble_config import PASSES

CASES = [
    Case(
        "TK014",
        fails={**PASSES, **{f"../second/{path}": text for path, text in PASSES.items()}},
        passes=PASSES,
        says="failed to poll model 'm': not unique across all model repositories",
    )
]
