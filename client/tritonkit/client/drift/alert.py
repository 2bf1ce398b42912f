"""What is said when something has drifted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = ["Alert", "Severity", "Stream"]

Severity: TypeAlias = Literal["page", "ticket"]
"""A page where the model seems to have become worse; a ticket where its traffic has changed."""

Stream: TypeAlias = Literal["traffic", "computed"]
"""All rows that were answered, or those that the model computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """
    Something has drifted.

    Args:
        severity: "page" or "ticket".
        model: Whose traffic.
        feature: What has drifted, such as "input age" or "accuracy by labels".
        stream: In which rows.
        measure: By what.
        effect: How far; an accuracy's fall.
        allowed: What of it is no drift: the threshold, and noise.
        evidence: How many times likelier than without drift; `needed` raises an alert.
        needed: By the run length, over all features.
        rows: Watched rows of the stream so far.
        since: The row at which the evidence began to grow.
        since_time: When that was, in seconds since the epoch.
        time: Of the alert.
        change: What has changed most, in words.
        look_at: What to do next.
        measures: The other measures.
    """

    severity: Severity
    model: str
    feature: str
    stream: Stream = "traffic"
    measure: str
    effect: float
    allowed: float
    evidence: float
    needed: float
    rows: int
    since: int
    since_time: float
    time: float
    change: str
    look_at: str
    measures: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{self.severity}: {self.feature} of {self.model!r} has drifted ({self.stream}): "
            f"{self.measure} {self.effect:.3g}, {self.allowed:.3g} is allowed; {self.change}; "
            f"since row {self.since} of {self.rows}, evidence {self.evidence:.2g} "
            f"of {self.needed:.2g} needed. {self.look_at}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "measures": dict(self.measures)}
