"""Prometheus' text format, as far as counters and gauges go."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Gains", "Scrape", "label", "read_scrape"]

_SAMPLE = re.compile(
    r"([a-zA-Z_:][a-zA-Z0-9_:]*)"  # the name
    r'(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?'  # labels; a value may hold braces and escaped quotes
    r"[ \t]+(\S+)"  # the number; a timestamp may follow
)
_CUMULATIVE_PARTS = ("_bucket", "_sum", "_count", "_total")

Kind = Literal["counter", "gauge"]


@dataclass(frozen=True, slots=True)
class Scrape:
    """
    One answer of a metrics endpoint.

    Args:
        counters: What only grows, parts of histograms among it, by name and labels.
        gauges: What goes up and down.
    """

    counters: Mapping[str, float]
    gauges: Mapping[str, float]

    def __bool__(self) -> bool:
        return bool(self.counters or self.gauges)


def read_scrape(text: str) -> Scrape:
    """
    Read the text format; lines that are none of it are left out, as are quantiles.

    Source: Prometheus, Exposition formats, text-based format 0.0.4.
    """
    kinds: dict[str, str] = {}
    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}
    for line in text.split("\n"):
        if line.startswith("#"):
            words = line.split()
            if len(words) >= 4 and words[1] == "TYPE":
                kinds[words[2]] = words[3]
            continue
        match = _SAMPLE.match(line)
        if match is None:
            continue
        name, labels, number = match[1], match[2] or "", match[3]
        try:
            value = float(number)
        except ValueError:
            continue
        kind = _kind(name, kinds)
        if kind is None or math.isnan(value):
            continue
        (counters if kind == "counter" else gauges)[name + labels] = value
    return Scrape(counters, gauges)


def label(series: str, name: str) -> str | None:
    """The value of a label of a series; None where it has no such label."""
    match = re.search(rf'[{{,]\s*{re.escape(name)}="((?:[^"\\]|\\.)*)"', series)
    if match is None:
        return None
    return re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), match[1])


@dataclass
class Gains:
    """What counters gained and what gauges were, over scrapes one after the other."""

    counters: dict[str, float] = field(default_factory=dict)
    _last: Mapping[str, float] | None = None
    _sums: dict[str, float] = field(default_factory=dict)
    _most: dict[str, float] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def add(self, scrape: Scrape) -> None:
        """
        The next scrape; the first is where counting starts.

        A counter that fell belongs to a server that was started again: it counts
        from zero. So does one that was not there before.
        """
        if self._last is not None:
            for series, value in scrape.counters.items():
                earlier = self._last.get(series, 0.0)
                gain = value - earlier if value >= earlier else value
                self.counters[series] = self.counters.get(series, 0.0) + gain
            # A counter that is away for a scrape has not fallen to zero.
            self._last = {**self._last, **scrape.counters}
        else:
            self._last = scrape.counters
        for series, value in scrape.gauges.items():
            self._sums[series] = self._sums.get(series, 0.0) + value
            self._counts[series] = self._counts.get(series, 0) + 1
            self._most[series] = max(self._most.get(series, -math.inf), value)

    def means(self) -> dict[str, float]:
        """The gauges' means over the scrapes that have them."""
        return {series: total / self._counts[series] for series, total in self._sums.items()}

    def most(self) -> Mapping[str, float]:
        """The gauges' largest values."""
        return self._most


def _kind(name: str, kinds: Mapping[str, str]) -> Kind | None:
    known = kinds.get(name)
    if known == "counter":
        return "counter"
    if known in ("gauge", "untyped", "unknown"):
        return "gauge"
    if known is not None:
        # A quantile of a summary, which is neither.
        return None
    for part in _CUMULATIVE_PARTS:
        if name.endswith(part) and kinds.get(name.removesuffix(part)) is not None:
            return "counter"
    return "gauge" if not kinds else None
