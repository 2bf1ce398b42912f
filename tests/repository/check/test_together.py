"""What a server says of ensembles whose models it has loaded once for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.repository.check.case import write_files
from tests.repository.check.cases.ensemble_edges import CASES, MODELS
from tests.repository.check.conftest import Judge

from tritonkit.repository.check.checker import all_rules
from tritonkit.repository.check.finding import Severity

if TYPE_CHECKING:
    from tritonkit.server.testing import TritonServer


def test_the_server_says_the_same_of_every_edge(
    model_repository: Path, triton_server: TritonServer
):
    """Each ensemble of the cases is refused with its text, or is loaded where it is a warning."""
    errors = {rule.id for rule in all_rules() if rule.severity is Severity.ERROR}
    write_files(model_repository, MODELS)
    models = sorted({path.partition("/")[0] for path in MODELS})
    server = triton_server(model_repository, model_control_mode="explicit", load_models=models)
    judge = Judge(server, model_repository)
    (model_repository / "m" / "1").mkdir(parents=True)

    for case in CASES:
        content = case.fails["m/config.pbtxt"]
        assert isinstance(content, str)
        (model_repository / "m" / "config.pbtxt").write_text(content)
        answer = judge.ask("m", dependents=False)

        assert answer.loaded == (case.rule not in errors), f"{case.rule}: {answer.text}"
        assert case.says in answer.text, case.rule
