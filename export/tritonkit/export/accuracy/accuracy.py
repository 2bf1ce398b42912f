"""How far answers are from the source's: the figures, and nothing that computes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Accuracy", "BatchDependence", "OutputDifference", "WorstSample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDifference:
    """
    One numeric output against the source's, over all samples, the extremes too.

    NaN is equal to NaN here, and infinite to infinite of the same sign.

    Args:
        max_difference: Largest absolute difference of an element that is finite in both.
        mean_difference: Mean absolute difference of those.
        relative_difference: The same as a share of the mean absolute value of the source's.
        cosine_mean: Mean cosine of a sample's answer, flattened, to the source's. A
            single number has no direction: there it is the cosine over all samples.
        cosine_min: The lowest; -1 where one is finite and the other is not.
        not_finite: Samples with an element that is NaN or infinite in one and another
            value in the other. No budget allows one.
    """

    max_difference: float
    mean_difference: float
    cosine_mean: float
    cosine_min: float
    not_finite: int = 0
    relative_difference: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDependence:
    """
    Whether an answer depends on what else is in its batch.

    Args:
        cosine_min: Lowest cosine between a sample's answer alone and among others.
        max_difference: Largest absolute difference between the two.
        agreement: Share of samples whose answer, as far as users see it (class, nearest
            neighbour, rank), is the same alone and among others; of several ways to
            batch them the lowest.
        invariant: Whether answers are the same but for rounding.
    """

    cosine_min: float
    max_difference: float
    agreement: float
    invariant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstSample:
    """
    A sample whose answer is far from the source's.

    Args:
        position: Its index, from 0; from `Accuracy.samples` on it is an extreme.
        preview: The sample in a line.
        score: Its agreement with the source, of the kind named in `Accuracy.score`.
        detail: What the two said, where that can be put in words: "cat, not dog".
    """

    position: int
    preview: str
    score: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """
    How far a model's answers are from its source's.

    Args:
        metric: The task's metric: "MRR" and "accuracy" where right answers are known,
            else agreement with the source, whose own is then 1.
        value: The metric of this model, higher is better.
        source_value: The metric of the source on the same samples.
        agreement: Share of samples with the same most probable class, nearest
            neighbour or first rank as the source's; of `values`, those within 1 %.
        cosine_mean: Mean cosine of the judged output; of lists, as sets, their overlap.
        cosine_min: The lowest.
        figures: Further figures by name, such as "top-10 overlap", "Spearman", "AUC",
            "R@1"; those with a counterpart of the source come in pairs, "AUC" and
            "AUC of the source".
        outputs: Each numeric output; the extremes count here.
        batch: Whether an answer depends on its batch.
        worst: The samples that agree least, worst first.
        score: What `WorstSample.score` is: "cosine", "probability of the source's class".
        samples: How many samples, without extremes.
        origin: Where they come from.
        extremes: How many extremes were answered besides.
    """

    metric: str
    value: float
    source_value: float
    agreement: float
    cosine_mean: float
    cosine_min: float
    figures: Mapping[str, float]
    outputs: Mapping[str, OutputDifference]
    batch: BatchDependence
    worst: tuple[WorstSample, ...]
    score: str
    samples: int
    origin: str
    extremes: int = 0

    @property
    def loss(self) -> float:
        """Share of the source's metric that is lost; negative where it was gained."""
        if self.source_value == 0:
            return 0.0 if self.value >= 0 else 1.0
        return (self.source_value - self.value) / abs(self.source_value)
