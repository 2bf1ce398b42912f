"""Check and a real server agree on what is accepted, over random repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.repository.differential.asking import AT_ONCE, Judge
from tests.repository.differential.repositories import repositories
from tests.repository.differential.written import Repository

if TYPE_CHECKING:
    from tritonkit.server.testing import TritonServer


@pytest.fixture(scope="module")
def judge(triton_server_session: TritonServer, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    place = tmp_path_factory.mktemp("differential")
    return Judge(triton_server_session(place, model_control_mode="explicit"), place)


@settings(
    max_examples=4,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(repositories(), min_size=AT_ONCE, max_size=AT_ONCE))
def test_check_and_the_server_agree(judge: Judge, drawn: list[Repository]) -> None:
    for verdict in judge.verdicts(drawn):
        assert verdict.agree or verdict.reason, str(verdict)
