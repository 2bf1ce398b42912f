"""The parts that plots have in common: scales, axes, lines and words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import ceil, floor, isfinite, log10

from tritonkit.client.experiments.markup import Html, element, joined

__all__ = [
    "AXIS",
    "MARGIN",
    "WIDTH",
    "Scale",
    "grid",
    "linear",
    "log_ticks",
    "logarithmic",
    "points_of",
    "px",
    "rule",
    "svg",
    "text",
    "ticks",
    "times",
    "upright",
]

WIDTH, MARGIN = 440.0, 12.0
"""In the plot's own units: small enough that its text can be read on a phone."""

AXIS = 44.0
"""Room for the numbers of an upright axis."""

LABEL = 44
"""Characters of a name that are shown; the rest can be read in the table."""

Scale = Callable[[float], float]
"""From a number to where it is drawn."""


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from low to high: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not (isfinite(span) and span > 0):
        return [low] if isfinite(low) else []
    power = 10.0 ** floor(log10(span / most)) if span / most > 0 else 0.0
    if not power:
        return [low]
    step = next(power * f for f in (1, 2, 5, 10, 20) if span / (power * f) <= most)
    return [step * i for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers of an axis that grows by factors."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    steps = (1, 2, 5) if len(powers) <= 4 else (1,)
    found = [10.0**p * f for p in powers for f in steps if low <= 10.0**p * f <= high]
    return found if len(found) > 1 else ticks(low, high)


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """From *low* at *start* to *high* at *end*."""
    span = high - low
    return lambda value: start + (end - start) * ((value - low) / span if span else 0.5)


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    """The same by factors; what is beyond is at the end."""
    inner = linear(log10(low), log10(high), start, end)
    return lambda value: inner(log10(min(max(value, low), high)))


def svg(title: str, height: float, parts: Sequence[Html]) -> Html:
    """A plot with its name."""
    # The element's own title is what a reader of the screen says.
    return element(
        "svg",
        element("title", title),
        *parts,
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        aria_label=title,
    )


def grid(values: Sequence[float], across: Scale, top: float, bottom: float, unit: str) -> Html:
    """Lines across, with their numbers below."""
    parts = []
    for value in values:
        x = across(value)
        parts.append(rule(x, top, x, bottom, "grid"))
        side = "start" if x < 30 else "end" if x > WIDTH - 30 else "middle"
        parts.append(text(f"{value:.6g}{unit}", x, bottom + 15, "tick", side))
    return joined(*parts)


def upright(values: Sequence[float], up: Scale, unit: str) -> Html:
    """Lines along, with their numbers on the left."""
    parts = []
    for value in values:
        parts.append(rule(AXIS, up(value), WIDTH - MARGIN, up(value), "grid"))
        parts.append(text(f"{value:.6g}{unit}", AXIS - 5, up(value) + 4, "tick", "end"))
    return joined(*parts)


def times(first: float, last: float, height: float) -> Html:
    """Where a time axis begins and ends."""
    return joined(
        text(_clock(first), AXIS, height - 8, "tick"),
        text(_clock(last), WIDTH - MARGIN, height - 8, "tick", "end"),
    )


def _clock(at: float) -> str:
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at:g}"


def rule(x: float, y: float, to: float, down: float, kind: str) -> Html:
    """A line from one point to another."""
    return element("line", x1=px(x), y1=px(y), x2=px(to), y2=px(down), class_=kind)


def text(words: str, x: float, y: float, kind: str, anchor: str = "start") -> Html:
    """Words at a point; long ones are cut."""
    shown = words if len(words) <= LABEL else words[: LABEL - 1] + "…"
    return element("text", shown, x=px(x), y=px(y), class_=kind, text_anchor=anchor)


def points_of(points: Sequence[tuple[float, float]]) -> str:
    """As a polygon has them."""
    return " ".join(f"{px(x)},{px(y)}" for x, y in points)


def px(value: float) -> str:
    """A tenth of a unit is nothing that an eye sees."""
    return f"{value:.1f}".removesuffix(".0")
