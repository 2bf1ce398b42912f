"""The page in a real browser: figures, charts, tester, controls, and who cannot see or point."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.devtools import Browser
from tests.gateway.live.page_server import PageServer, past

SEEING = (Path(__file__).parent / "seeing.js").read_text()
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&"
LOOKS = [(1440, False), (1440, True), (390, False), (390, True)]


@pytest.fixture
def server(browser: Browser) -> Iterator[PageServer]:
    server = PageServer()
    yield server
    browser.open("about:blank", width=1440)
    server.close()


def text(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)}).textContent"


def opened(browser: Browser, server: PageServer, *, width: int = 1440) -> Browser:
    """The page with its first state and history drawn."""
    browser.open(server.url, width=width)
    browser.value(SEEING)
    browser.until("document.querySelector('.chart path.area')?.getAttribute('d')")
    browser.until("document.querySelector('#tester-model').options.length")
    return browser


def at_ease(state: dict[str, Any]) -> None:
    """Nothing is wrong."""
    state["requests"].update(errors_per_second=0.0, refused_per_second=0.0)
    state.update(degraded=[], breakers=[], budgets=[], limits=[], alerts=[])
    state["endpoints"] = state["endpoints"][:1]
    for fault in state["controls"]["faults"]:
        fault.update(on=False, until=None)
    for layer in state["controls"]["layers"]:
        layer["on"] = True


def test_both_widths_and_schemes_fit_are_legible_and_complete(
    browser: Browser, server: PageServer, pictures: Path
) -> None:
    opened(browser, server)
    browser.value("document.querySelector('#tester-form').requestSubmit()")
    browser.until("!document.querySelector('#tester-result').hidden")
    browser.value("document.querySelector('#recent .open').click()")
    browser.value("document.querySelectorAll('.chart details, #tester-layers')[6].open = true")
    browser.value("document.querySelector('.chart details').open = true")
    for width, dark in LOOKS:
        browser.look(width=width, dark=dark)
        browser.until(f"document.querySelector('.plot svg').width.baseVal.value < {width}")
        # Tables scroll by themselves; the page does not.
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value("seeing.faint()") == []
        assert browser.value("seeing.wanting()") == []
        name = f"live-{width}-{'dark' if dark else 'light'}.png"
        browser.value("scrollTo(0, 0)")
        (pictures / name).write_bytes(browser.picture(whole=True))
    assert browser.complaints() == []
    assert all(url.startswith(server.url) for url in browser.asked())


def test_figures_move_and_an_open_trace_stays(browser: Browser, server: PageServer) -> None:
    opened(browser, server)
    assert browser.value(text("#tiles .value")) == "143"
    browser.value("{ const b = document.querySelector('#recent .open'); b.focus(); b.click() }")
    state = copy.deepcopy(server.state)
    state["requests"].update(per_second=987.0)
    state["latency"][3]["p95"] = 1.25
    newest = {**state["recent"][0], "at": 1770000001.0, "model": "newest"}
    newest.update(origins={"model": 1}, attempts=0)
    state["recent"] = [newest, *state["recent"][1:]]
    server.state = state
    browser.until(f"{text('#tiles .value')} === '987'")
    assert browser.value(text("#latency tr:last-child td:nth-child(5)")) == "1.25 s"
    assert browser.value("document.querySelector('#recent tbody th').textContent") == "newest"
    # The model computed it, and nobody counted how often it was asked.
    assert browser.value("document.querySelector('#recent tbody tr').cells[7].textContent") == "–"
    # It is no longer among the last, and still open, with the focus on its button.
    assert browser.value("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert browser.value(text(".trace")).startswith("WayinferModelminilm")


def test_the_sentence_says_how_it_is_and_why(browser: Browser, server: PageServer) -> None:
    at_ease(server.state)
    opened(browser, server)
    assert (
        browser.value(text("#health")).strip().startswith("Well: every request of the last minute")
    )
    state = copy.deepcopy(server.state)
    state["endpoints"].append({**state["endpoints"][0], "endpoint": "http://b:8000", "up": False})
    state["breakers"] = [{"model": "big", "endpoint": "accurate", "state": "open"}]
    server.state = state
    browser.until(f"{text('#level')} === 'Degraded:'")
    said = "http://b:8000 is down; a breaker is not closed: big in accurate (open)."
    assert browser.value(text("#sentence")).strip() == said
    state = copy.deepcopy(state)
    for endpoint in state["endpoints"]:
        endpoint["up"] = False
    server.state = state
    browser.until(f"{text('#level')} === 'Failing:'")
    assert browser.value("document.title") == "Failing: tritonkit gateway"


def test_what_few_requests_meet_leaves_the_service_well(
    browser: Browser, server: PageServer
) -> None:
    """And what is a caller's matter fails nothing; what somebody switched off is told."""
    at_ease(server.state)
    browser.open(server.url, width=390)
    state = copy.deepcopy(server.state)
    state["requests"].update(per_second=100.0)

    def said(**changes: Any) -> tuple[str, str]:
        changed = copy.deepcopy(state)
        changed["requests"].update(changes.pop("requests", {}))
        changed.update(changes)
        found = browser.value(
            "import('/live/static/health.js').then(({ health }) => "
            f"health(JSON.parse({json.dumps(json.dumps(changed))})))"
        )
        return found["level"], found["sentence"]

    def less(count: int) -> list[dict[str, Any]]:
        return [{"model": "m", "reason": "stale", "count": count}]

    few = "nearly every request of the last minute was answered in full; "
    assert said(degraded=less(1)) == ("well", f"{few}1 answer was less than asked for: stale.")
    assert said(degraded=less(60))[0] == "degraded"
    assert said(requests={"errors_per_second": 0.9}) == ("well", f"{few}0.9 % of requests fail.")
    assert said(requests={"errors_per_second": 1.0})[0] == "degraded"
    assert said(requests={"errors_per_second": 50.0})[0] == "failing"
    theirs = {"errors_per_second": 90.0, "refused_per_second": 90.0}
    assert said(requests=theirs) == ("degraded", "90 % of requests are refused.")
    off = copy.deepcopy(state["controls"])
    off["layers"][0]["on"] = False
    label = off["layers"][0]["label"]
    assert said(controls=off) == ("degraded", f"switched off: {label}.")
    silent = [{"store": "redis", "up": False}, {"store": "other", "up": True}]
    assert said(stores=silent) == ("degraded", "redis does not answer.")
    budget = {"quota": "9 calls in 1d", "unit": "calls", "limit": 9, "window": 1.0, "denied": 0}
    unread = [{**budget, "spent": None, "left": None, "apart": False}]
    assert said(budgets=unread) == (
        "degraded",
        "nobody can tell what is left of 9 calls in 1d.",
    )
    assert said(budgets=[{**unread[0], "apart": True}])[0] == "well"


def test_a_screen_reader_hears_what_changed_and_not_each_figure(
    browser: Browser, server: PageServer
) -> None:
    at_ease(server.state)
    opened(browser, server)
    browser.until(f"{text('#said')}.startsWith('Well')")
    browser.value(
        "window.heard = []; new MutationObserver(() => heard.push(said.textContent))"
        ".observe(said, { childList: true, characterData: true, subtree: true })"
    )
    for rate in (10.0, 20.0, 30.0):
        server.state["requests"]["per_second"] = rate
        browser.until(f"{text('#tiles .value')} === '{rate:.0f}'")
    assert browser.value("heard") == []
    # No other part speaks by itself, but what went wrong with what one asked for.
    live = "[...document.querySelectorAll('[aria-live], [role=alert], output')].map(n => n.id)"
    assert browser.value(live) == ["said", "tester-error", "similarity", "controls-error"]


def test_charts_are_read_by_mouse_and_by_keyboard_and_as_tables(
    browser: Browser, server: PageServer
) -> None:
    asked: list[tuple[float, int]] = []

    def points(seconds: float, count: int) -> dict[str, Any]:
        asked.append((seconds, count))
        return past(seconds, 60)

    server.points = points
    opened(browser, server)
    assert asked[0] == (300, 100)
    first = "document.querySelector('.chart')"
    # Where nothing is kept, the line has a gap.
    path = f"{first}.querySelector('path.line').getAttribute('d')"
    assert browser.value(path).count("M") == 2
    label = browser.value(f"{first}.querySelector('svg[role=img]').getAttribute('aria-label')")
    assert label.startswith("Requests, a second, from ")
    assert "; errors: " in label

    browser.value(f"{first}.querySelector('input').focus()")
    browser.press("Home")
    browser.press("ArrowRight")
    told = browser.value(f"{first}.querySelector('input').getAttribute('aria-valuetext')")
    assert ": requests " in told
    second = past(300, 60)["points"][1]
    assert f"requests {second['requests_per_second']:.0f}, " in told
    assert browser.value(f"{first}.querySelector('.when').textContent") == told.split(": ")[0]
    assert browser.value(f"{first}.querySelectorAll('.cursor circle').length") == 2
    browser.press("Escape")
    assert browser.value(f"{first}.querySelectorAll('.cursor circle').length") == 0

    box = browser.value(f"{first}.querySelector('.plot').getBoundingClientRect().toJSON()")
    browser.point(box["left"] + box["width"] / 2, box["top"] + box["height"] / 2)
    browser.until(f"{first}.querySelectorAll('.cursor circle').length === 2")

    browser.value(f"{first}.querySelector('summary').click()")
    browser.until(f"{first}.querySelectorAll('tbody tr').length > 50")
    assert browser.value(f"{first}.querySelector('table').caption.textContent") == (
        "Requests, a second"
    )

    browser.value("document.querySelector('#range input[value=\"60\"]').click()")
    browser.until(f"{first}.querySelector('svg[role=img]').ariaLabel !== {json.dumps(label)}")
    assert (3600, 240) in asked
    browser.value("document.querySelector('#range input[value=\"10080\"]').click()")
    browser.until(
        f"/^[A-Z][a-z]{{2}} \\d/.test({first}.querySelector('text:last-of-type').textContent)"
    )
    browser.value("document.querySelector('#percentile input[value=p99]').click()")
    assert "99 % are faster" in browser.value("document.querySelector('#charts').textContent")


def test_two_texts_are_compared(browser: Browser, server: PageServer) -> None:
    opened(browser, server)
    browser.value("document.querySelector('#tester-a').select()")
    browser.type("bonjour")
    compare = "document.querySelector('#tester-form button').click()"
    browser.value(compare)
    browser.until(f"{text('#similarity')} === '0.871'")
    row = "[...document.querySelectorAll('#tester-table tbody tr')][{}].innerText"
    assert "accurate\t34.1 ms\t12 µ\t1" in browser.value(row.format(0))
    browser.value(compare)
    browser.until("document.querySelectorAll('#tester-table tbody tr').length === 4")
    assert "memory\t–\t210 µs\t0\t0" in browser.value(row.format(0))

    browser.value("document.querySelector('#tester-layers input').click()")
    browser.value(compare)
    browser.until("document.querySelectorAll('#tester-table tbody tr').length === 6")
    second = "I forgot my login credentials"
    asked = {"model": "minilm", "a": "bonjour", "b": second, "priority": "live"}
    assert server.posted[-2:] == [
        ("compare", {**asked, "bypass": []}),
        ("compare", {**asked, "bypass": ["0-cache"]}),
    ]
    server.refusal = "every route of minilm failed"
    browser.value(compare)
    browser.until(f"{text('#tester-error')} === 'every route of minilm failed'")


def test_a_fault_is_put_in_and_taken_out(browser: Browser, server: PageServer) -> None:
    opened(browser, server)
    node = "[...document.querySelectorAll('#faults li')][1]"
    browser.value(f"{node}.querySelector('input').select()")
    browser.type("1250")
    switch = f"{node}.querySelector('[role=switch]')"
    assert browser.value(f"{switch}.getAttribute('aria-checked')") == "false"
    browser.value(f"{switch}.click()")
    browser.until(f"{switch}.getAttribute('aria-checked') === 'true'")
    assert server.posted == [("fault", {"name": "slow:minilm", "on": True, "value": 1.25})]
    browser.until(f"/^ends in (5:00|4:59)$/.test({node}.querySelector('.left').textContent)")
    browser.until(f"{text('#sentence')}.includes('on purpose, accurate answers later and minilm')")
    browser.value(f"{switch}.click()")
    browser.until(f"{switch}.getAttribute('aria-checked') === 'false'")
    assert server.posted[-1] == ("fault", {"name": "slow:minilm", "on": False})

    browser.value("document.querySelector('#layers [role=switch]').click()")
    browser.until(f"{text('#layers .word')} === 'off'")
    assert server.posted[-1] == ("switch", {"layer": "0-cache", "on": False})

    state = copy.deepcopy(server.state)
    state["controls"] = {**state["controls"], "allowed": False}
    server.state = state
    browser.until("document.querySelector('#controls').hidden")


def test_it_says_when_it_is_away_and_comes_back(browser: Browser, server: PageServer) -> None:
    opened(browser, server)
    server.away = True
    browser.until(f"{text('#link-text')} === 'Away'")
    assert browser.value(text("#away")).startswith("The gateway cannot be reached. The figures")
    # Nor does a tab that is not in sight say that all is as it was.
    assert browser.value("document.title") in (
        "Away: tritonkit gateway",
        "Connecting again: tritonkit gateway",
    )
    server.state["requests"]["per_second"] = 55.0
    server.away = False
    browser.until(f"{text('#link-text')} === 'Live'")
    browser.until(f"{text('#tiles .value')} === '55'")
    assert browser.value("document.querySelector('#away').hidden")
    assert browser.value("document.title") == "Degraded: tritonkit gateway"


def test_a_pause_holds_the_figures(browser: Browser, server: PageServer) -> None:
    opened(browser, server)
    browser.value("document.querySelector('#pause').click()")
    assert browser.value(text("#link-text")) == "Paused"
    at = browser.value(text("#about"))
    server.state["requests"]["in_flight"] = 99
    time.sleep(4 * server.tick)
    assert browser.value(text("#about")) == at
    browser.value("document.querySelector('#pause').click()")
    browser.until(f"{text('#about')}.includes('99 in flight')")


def test_a_history_that_is_not_kept_or_read_is_told(browser: Browser, server: PageServer) -> None:
    opened(browser, server)
    assert browser.value("document.querySelector('#kept').hidden")
    server.state["history"] = {"kept": False, "why": "the disk is full"}
    browser.until(f"{text('#kept')} === 'The history is not kept: the disk is full'")
    server.unread = "the history cannot be read now"
    browser.value("document.querySelector('#range input[value=\"60\"]').click()")
    browser.until(f"{text('#kept')} === 'The charts stand still: {server.unread}'")
    assert not browser.value("document.querySelector('#kept').hidden")


def test_a_token_is_asked_for_and_kept_in_the_tab(browser: Browser, server: PageServer) -> None:
    server.token = "tk-1"
    browser.open(server.url, width=390)
    browser.until("!document.querySelector('#token').hidden")
    assert browser.value("document.activeElement.id") == "token-field"
    # What no header can hold is not sent, and is not the gateway's being away.
    browser.type("жетон")
    browser.press("Enter")
    assert browser.value("document.querySelector('#token-field').matches(':invalid')")
    assert browser.value("sessionStorage.length") == 0
    browser.value("document.querySelector('#token-field').select()")
    browser.type("wrong")
    browser.press("Enter")
    refused = "The token was refused: who asks is not known"
    browser.until(f"{text('#token-title')} === {json.dumps(refused)}")
    browser.type("tk-1")
    browser.press("Enter")
    browser.until("!document.querySelector('#figures').hidden")
    assert browser.value("[sessionStorage['tritonkit token'], localStorage.length]") == ["tk-1", 0]
    browser.until("document.querySelector('#tester-model').options.length")
    browser.value("document.querySelector('#tester-form').requestSubmit()")
    browser.until(f"{text('#similarity')} === '0.871'")
    browser.value("document.querySelector('#forget').click()")
    browser.until("document.activeElement?.id === 'token-field' && !sessionStorage.length")


def test_what_a_server_says_is_text(browser: Browser, server: PageServer) -> None:
    def hostile(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            named = {EVIL if key in ("by_origin", "origins") else k: v for k, v in value.items()}
            return {k: hostile(v, k) for k, v in named.items()}
        if isinstance(value, list):
            return [hostile(each, key) for each in value]
        return EVIL + key if isinstance(value, str) and key != "kind" else value

    def points(seconds: float, count: int) -> dict[str, Any]:
        found = past(seconds, 20)
        for point in found["points"]:
            point.update(tiers={EVIL: point["tiers"]["fast"]}, by_origin={EVIL: 1.0})
        return found

    server.state = hostile(server.state)
    server.points = points
    opened(browser, server)
    browser.value("document.querySelectorAll('button.open, summary').forEach(n => n.click())")
    browser.until("document.querySelector('.chart tbody tr')")
    assert browser.value("document.querySelectorAll('img, main script').length") == 0
    assert EVIL in browser.value(text("#latency"))
    assert EVIL in browser.value(text("#charts"))
    assert browser.told("Page.javascriptDialogOpening") == []
    assert browser.complaints() == []
    assert all(url.startswith(server.url) for url in browser.asked())


def test_the_keyboard_reaches_everything_in_order(browser: Browser, server: PageServer) -> None:
    opened(browser, server)
    browser.value("document.querySelector('#tester-form').requestSubmit()")
    browser.until("!document.querySelector('#tester-result').hidden")
    seen: list[dict[str, Any]] = []
    browser.press("Tab")
    while (found := browser.value("seeing.focus()")) is not None:
        assert found["seen"], f"no visible focus: {found}"
        assert found["inside"], f"the focus is out of sight: {found}"
        seen.append(found)
        assert len(seen) < 120, "the focus goes round and round"
        browser.press("Tab")
    assert seen[0]["node"].startswith("a.skip")
    ids = [each["id"] for each in seen if each["id"]]
    assert [each for each in ids if each in ("pause", "tester-model", "tester-a")] == [
        "pause",
        "tester-model",
        "tester-a",
    ]
    assert sum(each["node"].startswith("button.switch") for each in seen) == 10
    assert sum(each["node"].startswith("button.open") for each in seen) == 5
    # By the link, past all that.
    browser.value("document.activeElement.blur()")
    browser.press("Tab")
    browser.press("Enter")
    assert browser.value("location.hash") == "#main"
    # Each of them has a name for whoever hears the page.
    browser.call("Accessibility.enable")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    browser.call("Accessibility.disable")
    wanted = ("button", "link", "textbox", "combobox", "switch", "slider", "radio", "checkbox")
    nameless = [
        node
        for node in nodes
        if not node["ignored"]
        and node["role"]["value"] in (*wanted, "spinbutton", "image", "region", "table")
        and not node.get("name", {}).get("value")
    ]
    assert nameless == []


def test_nothing_moves_by_itself_where_less_motion_is_wanted(
    browser: Browser, server: PageServer
) -> None:
    opened(browser, server)
    running = "document.getAnimations().filter(a => a.playState === 'running').length"
    browser.look(width=1440, still=True)
    browser.until(f"{running} === 0")
    browser.look(width=1440)
    browser.until(f"{running} === 1")


def test_a_stream_is_read_however_it_is_cut(browser: Browser, server: PageServer) -> None:
    browser.open(server.url, width=390)
    stream = "retry: 700\n\n: note\r\n\r\nevent: state\r\ndata: {\ndata: }\n\ndata:x\n\nevent: a\n"
    found = browser.value(
        f"""import('/live/static/state.js').then(({{ parser }}) => {{
            const stream = {json.dumps(stream)};
            const read = (parts) => {{
                const told = [];
                const feed = parser((event, data) => told.push([event, data]));
                parts.forEach(feed);
                return JSON.stringify(told);
            }};
            const all = new Set();
            for (let i = 0; i <= stream.length; i++)
                for (let j = i; j <= stream.length; j++)
                    all.add(read([stream.slice(0, i), stream.slice(i, j), stream.slice(j)]));
            return [...all].map(JSON.parse);
        }})"""
    )
    assert found == [[["retry", "700"], ["state", "{\n}"], ["message", "x"]]]


def test_figures_have_units_that_fit(browser: Browser, server: PageServer) -> None:
    browser.open(server.url, width=390)
    found = browser.value(
        """import('/live/static/format.js').then((f) => [
            [0, 0.00021, 0.0341, 0.99999, 2.0011, 125, null].map(f.seconds),
            [0, 0.0004, 0.123, 0.7121, 0.9999, 1, null].map(f.percent),
            [0, 5.68, 812, 1034000].map(f.cost),
            [0, 59, 60, 5423, 90000].map(f.lasting),
            [0, 0.4, 12.34, 143.2, 182340].map(f.number),
        ])"""
    )
    assert found == [
        ["0 ms", "210 µs", "34.1 ms", "1.00 s", "2.00 s", "125 s", "–"],
        ["0 %", "< 0.1 %", "12 %", "71 %", "> 99.9 %", "100 %", "–"],
        ["0", "5.68 µ", "812 µ", "1.03"],
        ["0 s", "59 s", "1 min", "1 h 30 min", "1 d 1 h"],
        ["0", "0.4", "12.3", "143", "182,340"],
    ]
    marks = browser.value(
        """import('/live/static/axis.js').then(({ marks, powers, moments }) => [
            marks(7), marks(9, { whole: true }), marks(3, { whole: true }), marks(171),
            marks(0.03), marks(0), powers(0.0003, 0.4), powers(1, 1),
            moments(1770000010, 1770000310, 5).map((at) => at % 60),
        ])"""
    )
    assert marks == [
        [0, 2, 4, 6, 8],
        [0, 5, 10],
        [0, 1, 2, 3],
        [0, 50, 100, 150, 200],
        [0, 0.01, 0.02, 0.03],
        [0, 1],
        [0.0001, 0.001, 0.01, 0.1, 1],
        [1, 10],
        [0, 0, 0, 0, 0],
    ]
