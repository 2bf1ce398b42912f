"""The page of an experiment: whole, alone, and with nothing in it but the report."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client.experiments.analysis import analyse
from tritonkit.client.experiments.columns import Collector
from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.documents import plain
from tritonkit.client.experiments.events import Answer, Event, Exposure, Outcome
from tritonkit.client.experiments.page import render
from tritonkit.client.experiments.page_tables import time_of
from tritonkit.client.experiments.question import Metric, Question
from tritonkit.client.experiments.report import (
    ArmReport,
    Effect,
    Latency,
    Look,
    MetricValue,
    Movement,
    Report,
    TimeBin,
    VersionSpan,
)
from tritonkit.client.statistics.correlation import Correlation
from tritonkit.client.statistics.interval import Interval
from tritonkit.client.statistics.sample_ratio import SampleRatio

ARMS = ("fp32", "int8")
ELEMENTS = """
html head meta title style body main header footer section h1 h2 h3 p a ul li dl dt dd div
table caption thead tbody tr th td small strong figure figcaption details summary pre code
svg line circle rect polygon polyline text
"""
ATTRIBUTES = """
lang charset http-equiv content name id class scope tabindex role aria-label aria-labelledby
href viewbox x y x1 y1 x2 y2 cx cy r points width height text-anchor
"""


class Page(HTMLParser):
    """Reads a page, and finds what is not well-formed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        assert tag in ELEMENTS.split(), tag
        assert {*dict(attrs)} <= {*ATTRIBUTES.split()}, attrs
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(("/".join(self.open), data))

    def text(self, *without: str) -> str:
        return "\n".join(
            text for place, text in self.texts if not {*without, "style"} & {*place.split("/")}
        )

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def simulated(bandit: bool = False, **question: Any) -> Report:
    """Two arms, 600 users, of whom the treatment's convert more."""
    chance = np.random.default_rng(5)
    collector, events = Collector(), list[Event]()
    for number in range(600):
        arm, at = ARMS[number % 2], 1.79e9 + 60 * number
        named: dict[str, Any] = {
            "experiment": "ranker",
            "version": "v1",
            "arm": arm,
            "unit": f"u{number}",
            "answer": f"{number:032x}",
            "propensity": 0.5 if bandit else None,
        }
        seconds, memory = float(chance.lognormal(-3, 0.5)), chance.random() < 0.3
        cache = "memory" if memory else "model"
        events.append(Exposure(at=at, **named))
        events.append(Answer(at=at, seconds=seconds, cost=100 + number % 9, cache=cache, **named))
        if chance.random() < (0.1 if arm == "fp32" else 0.35):
            outcome = Outcome(answer=f"{number:032x}", name="conversion", value=1.0, at=at + 5)
            events.append(outcome)
    collector.add(events)
    weights = {"v1": dict.fromkeys(ARMS, 1.0)}
    metrics = (Metric(name="conversion", least=0.01),)
    asked = Question(metrics=metrics, **question)
    return analyse("ranker", collector.joined(), asked, control=Control(), weights=weights)


@pytest.fixture(scope="module")
def report() -> Report:
    return simulated()


def checked(page: str) -> Page:
    """The page, in which everything is as it must be in every page."""
    read = Page(page)
    assert page.startswith("<!doctype html>\n<html lang=")
    for tag, attributes in read.tags:
        for key, value in attributes.items():
            assert "//" not in value or key in ("aria-label", "class"), (tag, key, value)
    assert "url(" not in page.split("</style>")[0]
    assert "@import" not in page.split("</style>")[0]
    ids = Counter(attributes["id"] for _, attributes in read.tags if "id" in attributes)
    assert set(ids.values()) == {1}
    assert {link["href"].removeprefix("#") for link in read.all("a")} <= set(ids)
    assert {section["aria-labelledby"] for section in read.all("section")} <= set(ids)
    assert all(head.get("scope") in ("row", "col") for head in read.all("th"))
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in read.all("svg"))
    names = [tag for tag, _ in read.tags]
    assert names.count("figure") == names.count("figcaption") == names.count("svg")
    assert names.count("table") == names.count("caption") == names.count("thead")
    assert (names.count("h1"), names.count("main")) == (1, 1)
    policy = read.all("meta")[1]
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    page.encode("utf-8")
    return read


def test_what_is_in_it(report: Report) -> None:
    """The verdict first; then every section, in order."""
    page = checked(render(report))
    sections = [section["id"] for section in page.all("section")]
    assert sections == [
        "verdict", "arms", "effects", "looks", "latency", "time", "ratio", "guardrails",
        "warnings", "conditions", "commands",
    ]  # fmt: skip
    text = page.text()
    first = text.split("Arms side by side")[0]
    assert "int8 by conversion: better: +" in first
    assert "Worse by" not in first
    assert page.all("div")[0]["class"] == "verdict better"
    assert "Units came as the weights say" in text
    assert "No arm is worse by any metric that does not decide." in text
    command = (
        "tritonkit experiment report ranker --log LOG --metric conversion --better higher "
        "--least 0.01 --aggregate any --version v1 --control fp32 --alpha 0.05"
    )
    assert f"{command}\n{command} --json\n{command} --html report.html" in text
    style = page.texts[1][1]
    assert "prefers-color-scheme: dark" in style
    assert "viewport" in {meta.get("name") for meta in page.all("meta")}


def test_the_command_gives_the_same_question(report: Report) -> None:
    """Asked as the page says, the answer is the same."""
    assert simulated(version="v1", control="fp32", alpha=0.05) == report


def test_every_number_is_in_the_report(report: Report) -> None:
    """In one of the ways in which numbers are written; plots have axes of their own."""
    allowed = {"50", "95", "99", "8", "1"}
    for value in numbers(plain(report)):
        for scaled in (value, 100 * value, 1000 * value):
            formats = (".4g", ".3g", ".2g", ".2f", "g", "+.3g", "+.2f", ".0f")
            allowed |= {tokens(f"{scaled:{form}}")[0] for form in formats}
    units = report.units
    allowed |= {f"{100 * arm.units / units:.2f}" for arm in report.arms}
    allowed |= {"50.00", f"{1 - report.alpha:g}", str(report.units), str(report.answers)}
    for text in strings(plain(report)):
        allowed |= set(tokens(text))
    for span in report.versions:
        allowed |= {*tokens(time_of(span.first)), *tokens(time_of(span.last))}
    allowed |= set(tokens(time_of(report.at)))
    guards = [effect for effect in report.effects if not effect.decides]
    allowed |= {str(len(guards)), str(sum(e.decision == "undecided" for e in guards))}
    shown = tokens(checked(render(report)).text("svg"))
    assert len(shown) > 150
    assert sorted(set(shown) - allowed) == []


def test_what_every_arm_did_is_shown(report: Report) -> None:
    text = checked(render(report)).text("svg")
    for arm in report.arms:
        for metric in arm.metrics:
            mean = metric.value.estimate
            shown = f"{mean:.2%}" if metric.kind == "rate" else f"{mean:.4g}"
            assert np.isnan(mean) or shown in text
        for latency in arm.latencies:
            assert f"{1e3 * latency.p95.estimate:.3g} ms" in text
    for effect in report.effects:
        assert effect.verdict in text


def test_a_mismatch_and_a_stop(report: Report) -> None:
    """They come before anything that they make worthless."""
    off = SampleRatio(evidence=9.0, p=1e-4, mismatch=True)
    told = replace(
        report,
        sample_ratio=off,
        verdict="do not compare the arms",
        state="stopped",
        reason="errors of int8",
        warnings=("sample-ratio mismatch", "12 answers of arm int8 were lost for want of room"),
    )
    page = checked(render(told))
    first = page.text().split("Arms side by side")[0]
    assert "do not compare the arms." in first
    assert "Why it is stopped: errors of int8" in first
    assert "2 warnings stand against believing these numbers." in first
    assert page.all("div")[0]["class"] == "verdict worse"
    conditions = page.text().split("lost events")[1]
    assert conditions.strip().startswith("12 answers of arm int8 were lost")


def test_an_arm_that_harms(report: Report) -> None:
    """It is told beside the verdict, whatever decides."""
    told = [effect for effect in report.effects if effect.metric == "latency"]
    worse = replace(told[0], decision="worse", verdict="worse: +0.1")
    effects = tuple(worse if effect is told[0] else effect for effect in report.effects)
    page = checked(render(replace(report, effects=effects)))
    assert "Worse by what does not decide: int8 by latency." in page.text().split("Arms side")[0]
    assert "int8 by latency: worse: +0.1" in page.text().split("Guardrails")[1]


def test_a_bandit() -> None:
    """It is called one above everything, and nothing is decided of it."""
    page = checked(render(simulated(bandit=True))).text()
    assert page.split("\n")[1] == "Bandit ranker"
    assert "no interval below holds" in page.split("Arms side by side")[0]
    assert "Not checked: a bandit's weights change." in page
    assert "better: " not in page


EVIL = st.text("<>&\"'/ab=:;!-\x00\x1b\ud800 \n", max_size=12).map(lambda text: f"<i a='{text}")
FLOATS = st.one_of(
    st.floats(-100, 100), st.sampled_from([float("nan"), float("inf"), 1e12, -1e9, 0.0])
)
COUNTS = st.integers(0, 10**6)
TIMES = st.one_of(st.floats(0, 4e9), st.just(1e300))
INTERVALS = st.builds(Interval, FLOATS, FLOATS, FLOATS)
OTHERS = {float: FLOATS, int: COUNTS, str: EVIL, Interval: INTERVALS}


def made(kind: type[Any], **given: Any) -> Any:
    """Any of a kind; numbers and texts are the strangest."""
    hints = {field: OTHERS.get(hint) for field, hint in get_type_hints(kind).items()}
    return st.builds(kind, **{k: v for k, v in hints.items() if v is not None}, **given)


def few(strategy: Any, most: int = 2) -> Any:
    return st.lists(strategy, max_size=most).map(tuple)


LOOKS = made(Look)
REPORTS = st.builds(
    Report,
    experiment=EVIL,
    version=EVIL,
    versions=few(made(VersionSpan)),
    reason=EVIL,
    promoted=EVIL,
    at=TIMES,
    alpha=st.floats(0.001, 0.5),
    decides=EVIL,
    arms=few(
        made(
            ArmReport,
            weight=st.one_of(st.none(), st.floats(0, 9)),
            latencies=few(made(Latency)),
            metrics=few(made(MetricValue)),
        ),
        3,
    ),
    sample_ratio=st.one_of(st.none(), made(SampleRatio)),
    effects=few(made(Effect, more=st.none(), looks=few(LOOKS, 4))),
    bins=few(made(TimeBin, outcomes=st.just({})), 3),
    movements=few(made(Movement, found=made(Correlation, by_lag=st.just({})))),
    warnings=few(EVIL),
    verdict=EVIL,
    bandit=st.booleans(),
)


@given(report=REPORTS)
@settings(max_examples=40, deadline=None)
def test_whatever_users_named_is_text(report: Report) -> None:
    """No element and no attribute comes of it, and it can be read; no number is too strange."""
    page = checked(render(report))
    name = re.sub(r"[\x00\x1b]", "\N{REPLACEMENT CHARACTER}", report.experiment)
    assert f"Experiment {name.replace(chr(0xD800), '?')}" == page.texts[0][1]
    text = page.text()
    assert text.count("<i a=") >= 3


def numbers(document: Any) -> list[float]:
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        return [number for entry in document for number in numbers(entry)]
    return [float(document)] if isinstance(document, int | float) else []


def strings(document: Any) -> list[str]:
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        return [text for entry in document for text in strings(entry)]
    return [document] if isinstance(document, str) else []


def tokens(text: str) -> list[str]:
    """Numbers without their sign, as they are written."""
    return re.findall(r"\d[\d.]*\d(?:e[-+]?\d+)?|\d(?:e[-+]?\d+)?", text)
