"""What a search came to, in words."""

from __future__ import annotations

from tritonkit.bench.measurement import Measurement
from tritonkit.bench.search.objective import Objective
from tritonkit.bench.search.target import Verdict
from tritonkit.bench.search.trial import Found, Told
from tritonkit.units import format_duration

__all__ = ["summary", "told_line"]


def told_line(told: Told, objective: Objective) -> str:
    """One trial: the point, what was expected and what came."""
    trial = told.trial
    start = f"{trial.purpose:7} {trial.point}"
    if told.measurement is None:
        return f"{start}: left out, {told.failure}"
    got = f"{objective.show(objective.value(told.measurement))}, {_figures(told, objective)}"
    expected = f" (expected {objective.show(trial.expected)})" if trial.expected else ""
    return f"{start}: {got}{expected}"


def summary(found: Found, objective: Objective) -> str:
    """The best, how sure it is, and what it was chosen from."""
    lines: list[str] = []
    if found.best is not None and found.measurement is not None:
        lines += _best(found, found.measurement, objective)
    elif found.closest is not None and found.measurement is not None:
        lines += _none(found, found.measurement, objective)
    else:
        lines.append("Nothing could be measured.")
    refused = [told for told in found.tried if told.measurement is None]
    lines.append(
        f"Measured {len(found.tried) - len(refused)} times, {found.spent:.3g} times the length of "
        f"one measurement, to choose from {found.candidates} points."
    )
    if refused:
        lines.append(f"Refused by the server: {len(refused)} settings; the first: ")
        lines[-1] += f"{refused[0].trial.point}: {refused[0].failure}"
    return "\n".join(lines)


def _best(found: Found, measurement: Measurement, objective: Objective) -> list[str]:
    value = objective.value(measurement)
    lines = [f"Best: {found.best}", f"  {objective.show(value)}"]
    for criterion in objective.target.named:
        kept = criterion.value(measurement)
        shown = format_duration(kept) if criterion.of_latency else f"{100 * kept:.3g}%"
        lines.append(f"  {criterion.figure} {shown}, the target is {criterion}")
    if objective.target.named:
        verdict = Verdict.of(found.holds).value
        lines.append(f"  the target holds {verdict} ({100 * found.holds:.0f}%)")
    lines.append(
        f"  {100 * found.sure:.0f}% sure that nothing else that keeps the target is better by more "
        "than the tolerance"
    )
    if found.verified and found.predicted is not None:
        off = value / found.predicted - 1
        lines.append(
            f"  predicted {objective.show(found.predicted)}, verified {objective.show(value)} "
            f"({100 * off:+.1f}%)"
        )
    elif not found.verified:
        lines.append("  not verified: the budget ended before; give it more to be surer")
    return lines


def _none(found: Found, measurement: Measurement, objective: Objective) -> list[str]:
    lines = [f"Nothing that was measured keeps {objective.target}."]
    lines.append(f"Closest: {found.closest}, {objective.show(objective.value(measurement))}")
    lines += [f"  {broken}" for broken in objective.target.broken(measurement)]
    margin = objective.target.margin(measurement).mean
    if -3 < margin < 0:
        lines.append(
            f"  it would take a model or a machine about {2.718281828**-margin:.2g} times as fast, "
            "a lower load, or a target that far away"
        )
    return lines


def _figures(told: Told, objective: Objective) -> str:
    assert told.measurement is not None
    figures = objective.target.figures(told.measurement)
    if not objective.target.named:
        return figures
    kept = "keeps" if objective.target.holds(told.measurement) else "breaks"
    return f"{figures}, {kept} the target"
