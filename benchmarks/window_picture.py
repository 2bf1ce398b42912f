"""The sweep of batch windows as a picture: throughput by callers, a line for each window."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from tritonkit.bench.measurement import Measurement
from tritonkit.extras import require

__all__ = ["draw"]

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "svg.fonttype": "path",
    # The same picture for the same figures.
    "svg.hashsalt": "tritonkit",
}


def draw(path: Path, subjects: Mapping[str, Sequence[Measurement]]) -> None:
    """
    Write an SVG.

    Args:
        path: Where to.
        subjects: Measurements by the title of their panel.
    """
    matplotlib = require("matplotlib", extra="export")
    matplotlib.use("svg")
    pyplot = require("matplotlib.pyplot", extra="export")
    ticker = require("matplotlib.ticker", extra="export")
    with matplotlib.rc_context(_STYLE):
        figure, panels = pyplot.subplots(2, len(subjects), figsize=(9, 6), sharex=True)
        for column, (title, measured) in enumerate(subjects.items()):
            above, below = panels[0][column], panels[1][column]
            lines = _lines(measured)
            shades = iter(matplotlib.colormaps["viridis"]([0.9 * n / 6 for n in range(7)]))
            for name, runs in lines.items():
                callers = [run.point.concurrency for run in runs]
                style = {"marker": "o", "markersize": 3, "label": name}
                if name == "no batching":
                    style |= {"color": "black", "linestyle": "--"}
                else:
                    style["color"] = next(shades)
                above.plot(callers, [run.inferences_per_second for run in runs], **style)
                p99 = [run.latency.percentiles_us[99.0] / 1e3 for run in runs]
                below.plot(callers, p99, **style)
            above.set_title(title, fontsize=9)
            above.set_ylabel("inferences/s")
            below.set_ylabel("p99 latency, ms")
            below.set_xlabel("callers, one row each")
            for panel in (above, below):
                panel.set_xscale("log", base=2)
                panel.set_xticks(callers)
                panel.xaxis.set_major_formatter("{x:g}")
                panel.grid(alpha=0.3)
            below.set_yscale("log")
            above.set_ylim(bottom=0)
            for panel in (above, below):
                panel.yaxis.set_major_formatter("{x:,g}")
                panel.spines[["top", "right"]].set_visible(False)
            # Between the powers of ten where there are few of them, and as plain numbers.
            below.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            below.yaxis.set_minor_formatter(ticker.NullFormatter())
        panels[0][0].legend(title="batch window", fontsize=8)
        figure.tight_layout()
        text = io.BytesIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    path.write_bytes(text.getvalue())


def _lines(measured: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    lines: dict[str, list[Measurement]] = {}
    for one in measured:
        name = one.point.settings.get("max_queue_delay", "no batching")
        name = "0" if name == "0us" else name
        lines.setdefault(name, []).append(one)
    return lines
