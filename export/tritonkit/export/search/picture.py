"""The Pareto front as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from tritonkit.export.search.candidate import Candidate
from tritonkit.export.search.front import has_nan, inaccuracy
from tritonkit.export.search.point_names import name_points
from tritonkit.extras import require

__all__ = ["front_picture"]

_SIZE_INCHES = (9.0, 5.2)
_FRONT, _TEXT = "#7a7a7a", "#222222"
_WORST_LOSS, _WORST_COSINE = 5.0, 0.9
"""Where the colours end, so that a broken candidate leaves the others their shades."""

_SETTINGS = {
    # Ids in the file come from here, not from a random number.
    "svg.hashsalt": "tritonkit",
    # Outlines: other fonts than ours would make labels overlap.
    "svg.fonttype": "path",
    # A name is a name, with a dollar in it too.
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": _TEXT,
    "axes.labelcolor": _TEXT,
    "axes.edgecolor": _FRONT,
    "xtick.color": _TEXT,
    "ytick.color": _TEXT,
}


def front_picture(
    candidates: Sequence[Candidate],
    front: Sequence[Candidate],
    chosen: Candidate | None,
    *,
    title: str,
) -> str:
    """
    Size, throughput and accuracy of each candidate, as SVG.

    Left is smaller, up is faster, yellow is closest to the source. Squares give an
    answer that does not depend on its batch, circles one that does. A small mark is
    beaten by another candidate in all three; a line joins those that none beats in size
    and throughput alone; a ring marks the chosen one. Accuracy is the loss of the
    task's metric, a gain being none, or the mean cosine where no candidate loses any.

    Args:
        candidates: Those with NaN among their figures are left out; at least one has none.
        front: Those on the Pareto front.
        chosen: The one that is served; None where there is none.
        title: Above the picture: the model, the machine.

    Returns:
        The text of the SVG, the same for the same figures and matplotlib.

    Raises:
        MissingExtra: If matplotlib is not installed.
    """
    matplotlib = require("matplotlib", extra="export")
    figures = require("matplotlib.figure", extra="export")
    agg = require("matplotlib.backends.backend_agg", extra="export")
    shown = [one for one in candidates if not has_nan(one)]
    # A user's matplotlibrc must not change the picture.
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_SETTINGS}):
        # 72 dots an inch, as SVG has: a pixel is then a point in both.
        figure = figures.Figure(figsize=_SIZE_INCHES, dpi=72, layout="constrained")
        agg.FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _draw(figure, axes, shown, front, chosen)
        axes.set_title(title, loc="left", fontsize=10, wrap=True)
        # Places depend on the layout, which drawing settles.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        points = zip(*_places(shown, _unit(shown)[1]), strict=True)
        name_points(
            figure,
            axes,
            dict(zip((one.recipe for one in shown), points, strict=True)),
            bold=chosen.recipe if chosen else None,
            line=_FRONT,
        )
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _draw(
    figure: Any,
    axes: Any,
    candidates: Sequence[Candidate],
    front: Sequence[Candidate],
    chosen: Candidate | None,
) -> None:
    batch = candidates[0].speed.batch
    unit, unit_bytes = _unit(candidates)
    axes.set_xlabel(f"size of the model, {unit}")
    axes.set_ylabel(f"throughput at batch {batch}, times fp32")
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.plot(
        *_places(_outline(front), unit_bytes),
        color=_FRONT,
        linewidth=1,
        zorder=1,
        label="small and fast",
    )
    name, colours, (low, high) = _accuracies(candidates)
    on_front = {one.recipe for one in front}
    drawn = None
    for marker, invariant, meaning in (
        ("s", True, "same answer in any batch"),
        ("o", False, "answer depends on its batch"),
    ):
        of_kind = [
            (one, colour)
            for one, colour in zip(candidates, colours, strict=True)
            if one.accuracy.batch.invariant == invariant
        ]
        if of_kind:
            drawn = axes.scatter(
                *_places([one for one, _ in of_kind], unit_bytes),
                c=[colour for _, colour in of_kind],
                vmin=low,
                vmax=high,
                cmap="viridis_r" if name.startswith("loss") else "viridis",
                marker=marker,
                s=[56 if one.recipe in on_front else 20 for one, _ in of_kind],
                edgecolors=_TEXT,
                linewidths=0.6,
                zorder=3,
            )
            axes.plot([], [], marker, color="white", markeredgecolor=_TEXT, label=meaning)
    axes.plot([], [], ".", color="white", markeredgecolor=_TEXT, label="beaten by another")
    if chosen is not None:
        axes.scatter(
            *_places([chosen], unit_bytes),
            s=230,
            facecolors="none",
            edgecolors="#c62828",
            linewidths=1.8,
            zorder=2,
            label="chosen",
        )
    beyond = "max" if high < max(colours) else "min" if low > min(colours) else "neither"
    figure.colorbar(drawn, ax=axes, label=name, pad=0.015, extend=beyond)
    axes.margins(x=0.12, y=0.14)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside lower left", ncols=5, frameon=False, fontsize=8.5, columnspacing=1.4)


def _unit(candidates: Sequence[Candidate]) -> tuple[str, float]:
    """What sizes are shown in, and its bytes."""
    largest = max(one.size_bytes for one in candidates)
    return ("MB", 1e6) if largest >= 1e6 else ("kB", 1e3)


def _places(candidates: Sequence[Candidate], unit_bytes: float) -> tuple[list[float], list[float]]:
    return (
        [one.size_bytes / unit_bytes for one in candidates],
        [one.speed.throughput for one in candidates],
    )


def _outline(front: Sequence[Candidate]) -> list[Candidate]:
    """Those of *front* that none beats in size and throughput, by size."""
    outline: list[Candidate] = []
    for one in sorted(front, key=lambda one: (one.size_bytes, -one.speed.throughput)):
        if not outline or one.speed.throughput > outline[-1].speed.throughput:
            outline.append(one)
    return outline


def _accuracies(candidates: Sequence[Candidate]) -> tuple[str, list[float], tuple[float, float]]:
    """What the colour tells, its value for each candidate, and the range that is told apart."""
    metric = candidates[0].accuracy.metric
    losses = [100 * inaccuracy(one)[0] for one in candidates]
    if any(losses):
        high = max(min(losses), min(max(losses), _WORST_LOSS))
        return f"loss of {metric}, %", losses, (min(losses), high)
    cosines = [one.accuracy.cosine_mean for one in candidates]
    low = min(max(cosines), max(min(cosines), _WORST_COSINE))
    return "mean cosine to the source", cosines, (low, max(cosines))
