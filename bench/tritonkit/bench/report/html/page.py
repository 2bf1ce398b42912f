"""The page: what came out first, pictures with their tables, how to take it again last."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from math import isfinite

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.report.html import figures, tables
from tritonkit.bench.report.html.axis import amount, time
from tritonkit.bench.report.html.entries import Configuration, Entry, configurations
from tritonkit.bench.report.html.script import SCRIPT
from tritonkit.bench.report.html.style import STYLE
from tritonkit.bench.report.json import Report
from tritonkit.bench.report.lines import busy, condition_lines, notes_of
from tritonkit.client.experiments.markup import Html, element, joined
from tritonkit.client.experiments.page_parts import document, section
from tritonkit.client.experiments.page_style import STYLE as BASE

__all__ = ["render"]

_CURVES = 6
"""Of the percentile picture: as many as there are colours; the rest is in the tables."""

_BARS = 20
"""Of a picture that stands open."""

_TIMELINES = 4
"""That are shown at once; the rest is folded away."""


def render(reports: Sequence[Report]) -> str:
    """
    One page of all measurements of all reports.

    It needs no network, and no script but to show and hide lines and to copy commands;
    whatever users named is text.
    """
    found = configurations(reports)
    entries = [entry for one in found for entry in one.entries]
    names = list(dict.fromkeys(report.conditions.model for report in reports))
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    parts = list(_sections(reports, found, entries))
    return document(
        f"Load on {', '.join(names)}",
        policy,
        BASE + STYLE,
        element(
            "header",
            element("h1", f"Load on {', '.join(names)}"),
            element("p", _about(reports), class_="soft"),
            _tiles(entries),
            element(
                "nav",
                element(
                    "ul",
                    *(
                        element("li", element("a", title, href=f"#{name}"))
                        for name, title, _ in parts
                    ),
                ),
                aria_label="Sections",
            ),
        ),
        element("main", *(section(name, title, *inner) for name, title, inner in parts)),
        element("footer", element("p", "Written by tritonkit bench.", class_="note")),
        element("script", Html(SCRIPT)),
    )


def _about(reports: Sequence[Report]) -> str:
    servers = dict.fromkeys(f"{r.conditions.server} at {r.conditions.url}" for r in reports)
    machines = dict.fromkeys(
        f"{one.machine.cpu}, {one.machine.cores} cores"
        for report in reports
        for one in report.conditions.each
    )
    began = min(report.conditions.started for report in reports)
    return f"{'; '.join(servers)}. Load from {'; '.join(machines)}. Begun {began}."


def _tiles(entries: Sequence[Entry]) -> Html | None:
    answered = [entry for entry in entries if entry.measurement.requests]
    if not entries:
        return None
    known = [entry for entry in answered if isfinite(entry.p99)]
    quickest = min(known, key=lambda entry: entry.p99, default=None)
    failed = sum(entry.measurement.failed for entry in entries)
    ended = failed + sum(entry.measurement.requests for entry in entries)
    tiles = []
    if answered:
        fastest = max(answered, key=lambda entry: entry.measurement.inferences_per_second)
        tiles.append(
            _tile(
                "most throughput",
                f"{amount(fastest.measurement.inferences_per_second)}/s",
                f"{fastest.name}; p99 {tables.known(fastest.p99)}",
            )
        )
    if quickest is not None:
        tiles.append(
            _tile(
                "lowest p99",
                time(quickest.p99),
                f"{quickest.name}; {amount(quickest.measurement.inferences_per_second)}/s",
            )
        )
    dropped = sum(entry.measurement.dropped for entry in entries)
    beside = f"of {ended:,} requests" + (f"; {dropped:,} could not start" if dropped else "")
    tiles.append(_tile("failed", f"{failed / ended:.2%}" if failed else "0", beside))
    tiles.append(_tile("measurements", str(len(entries)), _stability(entries)))
    return element("dl", *tiles, class_="tiles")


def _stability(entries: Sequence[Entry]) -> str:
    unstable = sum(entry.measurement.unstable is not None for entry in entries)
    if not any(entry.measurement.requests for entry in entries):
        return "none of them answered"
    return f"{unstable} of them unstable" if unstable else "all of a steady state"


def _tile(name: str, value: str, beside: str) -> Html:
    inner = element("dd", value, element("small", beside))
    return element("div", element("dt", name), inner, class_="tile")


def _sections(
    reports: Sequence[Report], found: Sequence[Configuration], entries: Sequence[Entry]
) -> Iterator[tuple[str, str, list[Html]]]:
    told = [why for report in reports if (why := busy(report.conditions)) is not None]
    told += [
        note for report in reports for note in notes_of(report.conditions, report.measurements)
    ]
    if told:
        yield "notes", "What to be wary of", [_warnings(told)]
    pictures = list(figures.throughput(found))
    yield "throughput", "Latency against throughput", [
        *_kept(figures.legend([one.name for one in found])),
        _pair(pictures),
        tables.measurements(entries),
    ]  # fmt: skip
    yield from _named("grid", "Settings against load", figures.grids(found))
    shown = _spread_out(entries, _CURVES)
    drawn = list(figures.curves(shown))
    if drawn:
        more = len(entries) - len(shown)
        note = [element("p", f"{more} more are in the table.", class_="note")] if more else []
        buttons = _kept(figures.legend([one.name for one in shown]))
        yield "percentiles", "Percentiles", [*buttons, _one(drawn), *note]
    courses = [
        [_pair(drawn), *_kept(tables.course_of(entry))]
        for entry in entries
        if (drawn := list(figures.timelines(entry)))
    ]
    if courses:
        yield "time", "Course of each measurement", list(_courses(courses))
    inside = [*figures.batches(entries), *_kept(tables.server(entries))]
    if inside:
        stages = list(figures.stages(entries))
        drawn = [*stages[:-1], _pair([*stages[-1:], *inside[:-1]])]
        if len(entries) > _BARS:
            words = f"Pictures of {len(entries)} measurements"
            drawn = [element("details", element("summary", words), *drawn)]
        yield "server", "In the server", [*drawn, inside[-1]]
    if (ways := tables.ways(entries)) is not None:
        yield "ways", "By the way answers came", [ways]
    yield "conditions", "Conditions", list(_conditions(reports))
    commands = [one.command for report in reports for one in report.conditions.each if one.command]
    if commands:
        yield "commands", "The same again", [_command(one) for one in dict.fromkeys(commands)]


def _named(name: str, title: str, drawn: Iterator[Html]) -> Iterator[tuple[str, str, list[Html]]]:
    pictures = list(drawn)
    if pictures:
        yield name, title, [_pair(pictures)]


def _courses(courses: Sequence[Sequence[Html]]) -> Iterator[Html]:
    for drawn in courses[:_TIMELINES]:
        yield from drawn
    rest = [part for drawn in courses[_TIMELINES:] for part in drawn]
    if rest:
        yield element("details", element("summary", f"{len(courses) - _TIMELINES} more"), *rest)


def _spread_out(entries: Sequence[Entry], most: int) -> list[Entry]:
    """So many of all, the first and the last among them."""
    if len(entries) <= most:
        return list(entries)
    step = (len(entries) - 1) / (most - 1)
    return [entries[round(number * step)] for number in range(most)]


def _warnings(notes: Sequence[str]) -> Html:
    listed = element("ul", *(element("li", note) for note in notes))
    return element("div", listed, class_="warnings")


def _conditions(reports: Sequence[Report]) -> Iterator[Html]:
    for number, report in enumerate(reports, start=1):
        if len(reports) > 1:
            yield element("h3", f"File {number}: {report.conditions.model}")
        yield _known(report.conditions)


def _known(conditions: Conditions) -> Html:
    lines = [pair for pair in condition_lines(conditions) if not pair[0].endswith("command")]
    pairs = (joined(element("dt", name), element("dd", value)) for name, value in lines)
    return element("dl", *pairs, class_="known")


def _command(text: str) -> Html:
    return element(
        "div",
        element("pre", element("code", text), tabindex="0"),
        element("button", "copy", type="button", hidden="hidden"),
        class_="command",
    )


def _pair(drawn: Sequence[Html]) -> Html:
    return element("div", *drawn, class_="pair") if len(drawn) > 1 else _one(drawn)


def _one(drawn: Sequence[Html]) -> Html:
    return element("div", *drawn, class_="one")


def _kept(part: Html | None) -> list[Html]:
    return [] if part is None else [part]
