"""The page in a browser, in front of a real gateway, Triton and Redis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.devtools import Browser
from tests.gateway.running import running_gateway

from tritonkit.client.client import Client
from tritonkit.client.testing.redis_server import RedisServer

if TYPE_CHECKING:
    from conftest import Triton

POLICY = """
server = "{triton}"

[[layers]]
type = "tiers"

[[layers.routes]]
name = "accurate"
model = "embedder"
timeout = "1s"

[[layers.routes]]
name = "fast"
model = "small"

[[layers]]
type = "cache"
stores = [{{ type = "memory", size = "16MB" }}, {{ type = "redis", url = "{redis}" }}]

[gateway]
drain_delay = 0

[gateway.models.embedder]

[gateway.live]
history = "{history}"
"""


def text(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)}).textContent"


def ask(browser: Browser, a: str, b: str) -> str:
    """Compare two texts; what the first of them took."""
    for name, said in (("a", a), ("b", b)):
        browser.value(f"document.querySelector('#tester-{name}').select()")
        browser.type(said)
    rows = "document.querySelectorAll('#tester-table tbody tr').length"
    before = browser.value(rows)
    browser.value("document.querySelector('#tester-form').requestSubmit()")
    browser.until(f"{rows} > {before}")
    return str(browser.value("document.querySelector('#tester-table tbody tr').innerText"))


def turn(browser: Browser, fault: str, value: str = "") -> None:
    """Press a fault's switch, with a value in its field."""
    item = (
        "[...document.querySelectorAll('#faults li')].find((one) => "
        f"one.querySelector('[role=switch]').ariaLabel === {json.dumps(fault)})"
    )
    if value:
        browser.value(f"{item}.querySelector('input').select()")
        browser.type(value)
    switch = f"{item}.querySelector('[role=switch]')"
    wanted = "false" if browser.value(f"{switch}.ariaChecked") == "true" else "true"
    browser.value(f"{switch}.click()")
    browser.until(f"{switch}.ariaChecked === '{wanted}'")


def test_figures_tester_fault_fallback_and_a_restart(
    browser: Browser, triton: Triton, redis_server: RedisServer, tmp_path: Path, pictures: Path
) -> None:
    history = tmp_path / "history.sqlite"
    policy = POLICY.format(triton=triton.http, redis=redis_server.url, history=history)
    with running_gateway(policy, "--faults", folder=tmp_path) as gateway:
        port = gateway.port
        browser.open(gateway.url, width=1440)
        browser.until("document.querySelector('#tester-model').options.length")
        assert "no request came" in browser.value(text("#sentence"))

        with Client(gateway.url) as client:
            for number in range(10):
                client.infer("embedder", {"text": [f"text {number % 5}"]})
        browser.until(f"parseFloat({text('#tiles .value')}) > 0")
        browser.until("document.querySelectorAll('#recent tbody tr').length === 10")
        browser.until("document.querySelector('#origins').innerText.includes('memory')")
        browser.until(f"{text('#level')} === 'Well:'")

        first = ask(browser, "one two", "two one")
        assert "model\taccurate" in first
        assert browser.value(text("#similarity")) == "1.000"
        assert ask(browser, "one two", "two one").split("\t")[1] == "memory"

        # The tier is slower than it may be, and Redis is gone.
        turn(browser, "embedder answers later", "4000")
        turn(browser, "Redis cannot be reached")
        assert "\tfast\t" in ask(browser, "three four", "five six")
        browser.until(f"{text('#sentence')}.includes('less than asked for')")
        assert browser.value(text("#degraded")).count("embedder") >= 1
        browser.value("scrollTo(0, 0)")
        (pictures / "live-fault.png").write_bytes(browser.picture(whole=True))
        turn(browser, "Redis cannot be reached")
        turn(browser, "embedder answers later")
        assert "\taccurate\t" in ask(browser, "eleven twelve", "thirteen fourteen")
        assert browser.complaints() == []
        assert all(url.startswith(gateway.url) for url in browser.asked())
        assert gateway.stop() == 0

    browser.until(f"{text('#link-text')} === 'Away'")
    with running_gateway(policy, "--faults", "--port", f"{port}", folder=tmp_path) as gateway:
        browser.until(f"{text('#link-text')} === 'Live'")
        browser.open(gateway.url, width=390, dark=True)
        # What went through before the restart is still there.
        browser.until(
            "/requests: .* to (?!0,)/.test(document.querySelector('.plot svg')?.ariaLabel)"
        )
        assert browser.value(text("#tiles .note")) == "18 in all"
        assert browser.value("document.querySelector('#kept').hidden")
        browser.open("about:blank", width=1440)
