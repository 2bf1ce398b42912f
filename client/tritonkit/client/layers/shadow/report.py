"""What was found about a shadow so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from tritonkit.client.layers.shadow.tally import Tally
from tritonkit.client.layers.shadow.verdict import Rules, ShadowVerdict, decide
from tritonkit.client.layers.shadow.worst import WorstRow
from tritonkit.client.statistics.interval import Interval
from tritonkit.client.statistics.means import mean_sequence
from tritonkit.client.statistics.proportions import proportion_sequence
from tritonkit.errors import ConfigError
from tritonkit.units import format_duration

__all__ = ["ShadowReport"]

_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ShadowReport:
    """
    A snapshot; those of several processes merge into one.

    Args:
        route: Name of the shadow.
        rules: What is asked of it.
        verdict: The first decision, or what it takes to come to one.
        tally: All that was counted; a copy.
        worst: Rows on which both are furthest apart, the worst first, where they are kept.
    """

    route: str
    rules: Rules
    verdict: ShadowVerdict
    tally: Tally
    worst: tuple[WorstRow, ...] = ()

    @property
    def disagreement(self) -> Interval:
        """
        The mean over requests of the share of rows that disagree.

        It is inside at every look at once, with probability 1 - alpha.
        """
        tally = self.tally
        bad = min(tally.disagreement, tally.requests)
        return proportion_sequence(bad, tally.requests, alpha=self.rules.alpha)

    @property
    def slower(self) -> Interval:
        """
        Seconds by which the shadow takes longer, mean over requests that both computed.

        A confidence sequence at alpha, for many requests that are independent; unbounded
        below 100.
        """
        return mean_sequence(self.tally.slower, alpha=self.rules.alpha)

    def slice(self, value: str) -> Interval:
        """The rate of one slice: disagreeing rows of its rows; see `disagreement`."""
        rows, disagreeing = self.tally.slices.get(value, (0, 0))
        return proportion_sequence(disagreeing, rows, alpha=self.rules.alpha)

    def merge(self, *others: ShadowReport) -> ShadowReport:
        """
        What all processes have seen together, and what follows from it.

        Each keeps its error rates, and so does this: a sum of what several have counted is
        one more sequence, in which each may have stopped whenever it wanted.

        Raises:
            ConfigError: If they are of different shadows, or ask different things.
        """
        tally = self.tally.copy()
        worst = list(self.worst)
        for other in others:
            if (other.route, other.rules) != (self.route, self.rules):
                raise ConfigError(
                    f"reports must be of one shadow and its rules, but got {self.route!r} with "
                    f"{self.rules} and {other.route!r} with {other.rules}."
                )
            tally.merge(other.tally)
            worst += other.worst
        worst.sort(key=lambda row: -row.severity)
        most = max((len(one.worst) for one in (self, *others)), default=0)
        verdict = decide(tally.evidence(), self.rules)
        return ShadowReport(self.route, self.rules, verdict, tally, tuple(worst[:most]))

    def to_json(self) -> str:
        """Everything; `from_json` reads all of it but the worst rows."""
        tally, low_high = self.tally, self.disagreement
        return json.dumps(
            {
                "format": _FORMAT,
                "route": self.route,
                "rules": asdict(self.rules),
                "verdict": asdict(self.verdict),
                "disagreement": [low_high.low, low_high.high],
                "latency_seconds": {
                    name: {f"p{share:g}": _finite(one.percentile(share / 100)) for share in _SHOWN}
                    for name, one in (("primary", tally.primary), ("shadow", tally.shadow))
                },
                "tally": tally.values(),
                "worst": [row.values() for row in self.worst],
            },
            ensure_ascii=False,
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """
        What `to_json` gave, without the worst rows.

        Raises:
            ConfigError: If it is none.
        """
        try:
            values: Mapping[str, Any] = json.loads(text)
            if values["format"] != _FORMAT:
                raise ConfigError(f"a shadow's report of format {values['format']!r} is not known.")
            return cls(
                values["route"],
                Rules(**values["rules"]),
                ShadowVerdict(**values["verdict"]),
                Tally.of(values["tally"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"that is no report of a shadow: {error!r}") from error

    def __repr__(self) -> str:
        return f"<ShadowReport of {self.route!r}: {self.verdict}>"

    def __str__(self) -> str:
        tally, rate = self.tally, self.disagreement
        lines = [
            f"shadow {self.route}: {self.verdict}",
            f"  rows disagreeing   {tally.disagreeing} of {tally.rows}; by request "
            f"{rate.low:.3%} to {rate.high:.3%} (tolerated {self.rules.tolerate:.2%}, "
            f"confidence {1 - self.rules.alpha:g} at every look)",
        ]
        if tally.schema:
            lines.append(f"  types or shapes    {tally.schema} rows: {tally.difference}")
        if tally.nan:
            lines.append(f"  with NaN           {tally.nan} rows")
        for name, one in sorted(tally.outputs.items()):
            lines.append(
                f"  output {name:<11} {one.disagreeing} of {one.rows} disagree; distance "
                f"{one.distances.mean:.3g} on average, {one.largest:.3g} at most"
            )
        for value, (rows, disagreeing) in sorted(tally.slices.items()):
            lines.append(f"  slice {value:<12} {disagreeing} of {rows} rows disagree")
        if tally.primary.n:
            lines += [
                f"  {name:<18} "
                + ", ".join(
                    f"p{share:g} {format_duration(one.percentile(share / 100))}" for share in _SHOWN
                )
                for name, one in (("primary", tally.primary), ("shadow", tally.shadow))
            ]
            lines.append(f"  shadow longer by   {tally.slower.mean * 1e3:.3g} ms on average")
        counts = ", ".join(f"{count} {what}" for what, count in sorted(tally.counts.items()))
        lines.append(f"  requests           {counts or 'none'}")
        if tally.cost:
            lines.append(f"  cost               {tally.cost / 1e6:g}")
        return "\n".join(lines)


_SHOWN = (50, 95, 99)


def _finite(value: float) -> float | None:
    return value if 0 <= value < float("inf") else None
