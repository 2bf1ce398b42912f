"""A report of an experiment as one page that opens anywhere, with no other file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from tritonkit.client.experiments.markup import Html, element, joined
from tritonkit.client.experiments.page_figures import bins, effects, latency, looks, seen
from tritonkit.client.experiments.page_parts import document, section
from tritonkit.client.experiments.page_style import STYLE
from tritonkit.client.experiments.page_tables import (
    arms_table,
    movements_table,
    ratio_table,
    time_of,
    tone_of,
    versions_table,
)
from tritonkit.client.experiments.question import BUILT_IN
from tritonkit.client.experiments.report import Effect, Report

__all__ = ["render"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page asks for nothing, and whatever got into it cannot either."""


def render(report: Report) -> str:
    """
    The page: the verdict first, what it rests on next, how to get it again last.

    Nothing in it is computed: every number is one of the report. It needs no network and
    no script; whatever users named is text.
    """
    return document(
        f"Experiment {report.experiment}",
        _POLICY,
        STYLE,
        _header(report),
        element("main", *_sections(report)),
        element(
            "footer",
            element("p", "Written by tritonkit experiment report.", class_="note"),
        ),
    )


def _header(report: Report) -> Html:
    kind = "Bandit" if report.bandit else "Experiment"
    state = f"{report.state}: {report.promoted}" if report.promoted else report.state
    told = f"Version {report.version or '(none)'}, {state}, last event {time_of(report.at)}."
    return element(
        "header", element("h1", f"{kind} {report.experiment}"), element("p", told, class_="soft")
    )


def _sections(report: Report) -> Iterator[Html]:
    yield section("verdict", "Verdict", _verdict(report))
    if report.arms:
        yield section("arms", "Arms side by side", arms_table(report))
    if report.effects:
        yield section("effects", "Effects", *effects(report))
    if any(seen(effect) for effect in report.effects):
        yield section("looks", "Effects over time", *looks(report))
    if report.arms:
        yield section("latency", "Latency", *latency(report))
    if report.bins:
        yield section("time", "Traffic over time", *bins(report))
    yield section("ratio", "Sample ratio", *_ratio(report))
    if report.effects:
        yield section("guardrails", "Guardrails", *_guardrails(report))
    if report.movements:
        note = "What moves together need not cause each other; only the effects above are causal."
        yield section("movements", "Moves together", element("p", note), movements_table(report))
    yield section("warnings", "Warnings", _warnings(report))
    yield section("conditions", "Conditions", *_conditions(report))
    yield section("commands", "The same again", *_commands(report))


def _verdict(report: Report) -> Html:
    deciding = [effect for effect in report.effects if effect.decides]
    tones = {tone_of(effect) for effect in deciding}
    tone = next((one for one in ("worse", "better") if one in tones), "unsure")
    off = report.sample_ratio is not None and report.sample_ratio.mismatch
    parts = [element("p", _sentence(report.verdict), class_="whole")]
    if report.reason:
        parts.append(element("p", f"Why it is {report.state}: {report.reason}"))
    if report.bandit:
        parts.append(
            element("p", "A bandit: weights follow outcomes, and no interval below holds.")
        )
    harmed = [f"{e.arm} by {e.metric}" for e in _harmed(report)]
    if harmed:
        parts.append(element("p", f"Worse by what does not decide: {', '.join(harmed)}."))
    if report.warnings:
        count = len(report.warnings)
        told = (
            f"{count} warning{'s' * (count > 1)}"
            + (" stands" if count == 1 else " stand")
            + " against believing these numbers."
        )
        parts.append(element("p", element("a", told, href="#warnings")))
    return element("div", *parts, class_=f"verdict {'worse' if off else tone}")


def _ratio(report: Report) -> Iterator[Html]:
    ratio = report.sample_ratio
    if report.bandit:
        yield element("p", "Not checked: a bandit's weights change.")
    elif ratio is None:
        yield element("p", "Not checked: the weights of the arms are not known.")
    elif ratio.mismatch:
        told = f"Units did not come as the weights say (p {ratio.p:.2g}, at every look). "
        yield element("p", element("strong", told, class_="worse"), "Do not compare the arms.")
        yield ratio_table(report)
    else:
        yield element("p", f"Units came as the weights say (p {ratio.p:.2g}, at every look).")
        yield ratio_table(report)


def _guardrails(report: Report) -> Iterator[Html]:
    guards = [effect for effect in report.effects if not effect.decides]
    harmed = _harmed(report)
    open_ = sum(effect.decision == "undecided" for effect in guards)
    if report.bandit:
        yield element("p", "Nothing is decided of a bandit's metrics.")
    elif not guards:
        yield element("p", "There is no metric but the one that decides.")
    elif not harmed:
        yield element("p", "No arm is worse by any metric that does not decide.")
    if harmed:
        yield element(
            "ul",
            *(element("li", f"{e.arm} by {e.metric}: {e.verdict}", class_="worse") for e in harmed),
        )
    if open_ and not report.bandit:
        yield element("p", f"Undecided: {open_} of {len(guards)} comparisons.", class_="note")


def _harmed(report: Report) -> list[Effect]:
    return [e for e in report.effects if e.decision == "worse" and not e.decides]


def _warnings(report: Report) -> Html:
    if not report.warnings:
        return element("p", "None.")
    return element("ul", *(element("li", _sentence(text)) for text in report.warnings))


def _conditions(report: Report) -> Iterator[Html]:
    lost = [text for text in report.warnings if "were lost" in text]
    deciding = [effect for effect in report.effects if effect.decides]
    known: list[tuple[str, str]] = [
        ("experiment", report.experiment),
        ("version", report.version or "(none)"),
        ("state", f"{report.state} {report.promoted}".strip()),
        ("last event", time_of(report.at)),
        ("unit", "what the experiment is assigned by, such as a user; each counts once"),
        ("alpha", f"{report.alpha:g}: of each confidence sequence, which holds at every look, and "
                  "the false discovery rate over arms and metrics"),
        ("decides", report.decides or "nobody said"),
    ]  # fmt: skip
    if deciding:
        least = deciding[0].least
        known += [
            ("direction", f"{deciding[0].better} is better"),
            ("least that matters", f"{least:g}" if least else "any difference"),
        ]
    known += [
        ("control", report.control.name if report.control else "(none)"),
        ("units, answers", f"{report.units}, {report.answers}"),
        ("lost events", "; ".join(lost) or "none of this version that are known"),
    ]
    yield element("dl", *(joined(element("dt", k), element("dd", v)) for k, v in known))
    if report.versions:
        yield element("h3", "Versions")
        yield versions_table(report)


def _commands(report: Report) -> Iterator[Html]:
    words = ["tritonkit", "experiment", "report", report.experiment, "--log", "LOG"]
    deciding = next((effect for effect in report.effects if effect.decides), None)
    if report.decides:
        words += ["--metric", report.decides]
    if deciding is not None:
        words += ["--better", deciding.better]
        words += ["--least", f"{deciding.least:g}"] if deciding.least else []
        found = [m for arm in report.arms for m in arm.metrics if m.name == report.decides]
        if found and report.decides not in BUILT_IN:
            words += ["--aggregate", found[0].aggregate]
    words += ["--version", report.version] if report.version else []
    words += ["--control", report.control.name] if report.control else []
    words += ["--alpha", f"{report.alpha:g}"]
    command = shlex.join(words)
    told = f"{command}\n{command} --json\n{command} --html report.html"
    yield element("p", "LOG is the log of the experiments: a file, or the URL of a Redis.")
    yield element("pre", element("code", told), tabindex="0")


def _sentence(text: str) -> str:
    # It may begin with the name of an arm, which is written as it is.
    return text if text.endswith((".", "!", "?")) else f"{text}."
