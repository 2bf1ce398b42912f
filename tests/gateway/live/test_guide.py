"""The guide to the live page holds."""

from __future__ import annotations

import re
from pathlib import Path

from tritonkit.gateway.config.reading import read_config
from tritonkit.gateway.live.settings import LiveSettings

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "live-page.md"


def test_its_tables_are_read():
    """What it says are the defaults are."""
    text = GUIDE.read_text(encoding="utf-8")
    tables = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    environment = {"OPS_TOKEN": "ops-token-0123456789"}

    _, config = read_config(
        'server = "http://localhost:8000"\n' + "\n".join(tables), environment=environment
    )

    (ops,) = config.tenants
    assert ops.rights == {"live", "infer"}
    told = config.live
    assert told == LiveSettings(history=told.history)
    assert told.history == "/var/lib/tritonkit/gateway.sqlite"


def test_its_requests_are_those_that_there_are():
    """None is left out, and none is another one."""
    source = Path(__file__).parents[3] / "gateway/tritonkit/gateway/live/routes.py"
    routes = set(re.findall(r'route\(\s*"(/live/[a-z]+)"', source.read_text(encoding="utf-8")))

    told = re.findall(r"`(?:GET|POST) (/live/[a-z]+)", GUIDE.read_text(encoding="utf-8"))

    assert len(routes) >= 7
    assert set(told) == routes
