"""What is told while recipes are tried: a line each."""

from __future__ import annotations

from tritonkit.export.search.candidate import Candidate
from tritonkit.export.search.speed import BASE
from tritonkit.units import format_size

__all__ = ["first_line", "outcome", "time_left"]


def outcome(candidate: Candidate) -> str:
    """The figures of a candidate that was measured."""
    accuracy, speed = candidate.accuracy, candidate.speed
    size = format_size(candidate.size_bytes)
    rate = f"{speed.rows_per_second[speed.batch]:,.0f} rows/s at batch {speed.batch}"
    if candidate.recipe != BASE:
        size += f" ({candidate.times_smaller:.2f} times smaller)"
        rate = f"{speed.throughput:.2f} times fp32 at batch {speed.batch}"
    figures = [
        size,
        rate,
        *(() if accuracy.metric == "agreement" else (f"{accuracy.metric} {accuracy.value:.4f}",)),
        f"agreement {accuracy.agreement:.1%}",
        f"cosine {accuracy.cosine_mean:.4f}",
        *(() if accuracy.batch.invariant else ("depends on its batch",)),
    ]
    return f"{candidate.recipe}: {', '.join(figures)}"


def time_left(seconds: float) -> str:
    """How long it will take, behind a comma; empty for less than a second."""
    if seconds < 1:
        return ""
    return f", about {f'{seconds:.0f} s' if seconds < 100 else f'{seconds / 60:.0f} min'} left"


def first_line(error: Exception) -> str:
    """What went wrong; the rest is for the card."""
    return str(error).strip().partition("\n")[0]
