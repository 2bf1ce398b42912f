"""A process that may open few files."""

from __future__ import annotations

import pytest

from tritonkit.bench.load import local


@pytest.fixture
def few_files(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many: those of the real limit are kept, since the test's process needs them."""
    monkeypatch.setattr(local.resource, "getrlimit", lambda _: (256, 256))
    return 256
