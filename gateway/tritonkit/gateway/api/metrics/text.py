"""
Metrics as text, as Prometheus reads it.

Written here and not by prometheus_client, which takes four times as long for it: a scrape of
many workers has ten thousand lines, and requests wait meanwhile.

Source: Prometheus' exposition formats, text 0.0.4; OpenMetrics 1.0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from tritonkit.gateway.api.metrics.family import Family

__all__ = ["as_text"]

_VALUE = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


def as_text(families: Iterable[Family], *, openmetrics: bool) -> bytes:
    """
    One line for each sample.

    Args:
        families: Of different names.
        openmetrics: Whether in that format: a counter's family lacks "_total", and the
            end is told.
    """
    lines: list[str] = []
    for family in families:
        name = family.name
        # The older format has no families: what it describes is the sample's name.
        total = "_total" if family.kind == "counter" and not openmetrics else ""
        about = family.help.translate(_VALUE if openmetrics else _HELP)
        lines.append(f"# HELP {name}{total} {about}\n# TYPE {name}{total} {family.kind}")
        lines += [
            f"{name}{suffix}{_labels(labels)} {_number(value)}"
            for suffix, labels, value in family.samples
        ]
    if openmetrics:
        lines.append("# EOF")
    lines.append("")
    return "\n".join(lines).encode()


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = [f'{name}="{_escaped(value)}"' for name, value in labels.items()]
    return f"{{{','.join(pairs)}}}"


def _escaped(value: str) -> str:
    # Hardly any value has what needs it.
    if "\\" in value or "\n" in value or '"' in value:
        return value.translate(_VALUE)
    return value


def _number(value: float) -> str:
    value = float(value)
    if math.isfinite(value):
        return repr(value)
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"
