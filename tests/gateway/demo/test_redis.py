"""A Redis for the demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from tritonkit.errors import ConfigError
from tritonkit.gateway.demo.redis import start_redis


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    """Redis itself would cut it, and leave a socket elsewhere."""
    folder = tmp_path / ("x" * 90)
    folder.mkdir()

    with pytest.raises(ConfigError, match=r"at most 107 bytes, but \S+ has \d+: set TMPDIR"):
        start_redis(folder)
    assert not list(tmp_path.rglob("*.sock"))
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
