"""Names beside the points of a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from tritonkit.extras import require

__all__ = ["name_points"]


def name_points(
    figure: Any,
    axes: Any,
    points: Mapping[str, tuple[float, float]],
    *,
    bold: str | None,
    line: str,
) -> None:
    """
    Name *points*, each where its name covers neither a point nor another name.

    Args:
        figure: matplotlib's; its layout is settled.
        axes: Those that the points are drawn in.
        points: Where each is, in data of the axes, by its name.
        bold: The name that is set in bold.
        line: Colour of the line from a point to a name that stands apart.
    """
    renderer = figure.canvas.get_renderer()
    box = require("matplotlib.transforms", extra="export").Bbox
    places = axes.transData.transform(list(points.values()))
    taken = [box.from_bounds(x - 6, y - 6, 12, 12) for x, y in places]
    inside = axes.get_window_extent(renderer)
    for name, point in zip(points, places, strict=True):
        text = axes.annotate(
            name,
            axes.transData.inverted().transform(point),
            xytext=(0, 0),
            textcoords="offset pixels",
            fontsize=8,
            fontweight="bold" if name == bold else "normal",
            zorder=4,
        )
        best = None
        for x, y, side in _offsets():
            text.set(position=(x, y), ha=side, va="center")
            extent = text.get_window_extent(renderer)
            cost = sum(_overlap(extent, other) for other in taken)
            cost += extent.width * extent.height - _overlap(extent, inside)
            if best is None or cost < best[0]:
                best = cost, (x, y, side), extent
            if cost == 0:
                break
        assert best is not None
        _, (x, y, side), extent = best
        text.set(position=(x, y), ha=side)
        taken.append(extent)
        if math.hypot(x, y) > 15:
            axes.annotate(
                "",
                axes.transData.inverted().transform(point),
                xytext=axes.transData.inverted().transform((point[0] + x, point[1] + y)),
                arrowprops={"arrowstyle": "-", "color": line, "linewidth": 0.5},
                zorder=2,
            )


def _offsets() -> Iterator[tuple[float, float, str]]:
    """Where a name may stand beside its point, in pixels: nearest first."""
    for distance in range(11, 140, 9):
        for degrees in (0, 180, 35, -35, 145, -145, 65, -65, 115, -115, 90, -90):
            x = distance * math.cos(math.radians(degrees))
            y = distance * math.sin(math.radians(degrees))
            yield x, y, "center" if abs(x) < 1 else "left" if x > 0 else "right"


def _overlap(one: Any, other: Any) -> float:
    """Area that two boxes share, in square pixels."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(max(width, 0) * max(height, 0))
