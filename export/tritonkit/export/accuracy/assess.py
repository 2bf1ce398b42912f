"""The whole comparison of a finished graph with its source."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.accuracy.accuracy import Accuracy, WorstSample
from tritonkit.export.accuracy.classes import Classes
from tritonkit.export.accuracy.elements import is_numeric
from tritonkit.export.accuracy.embeddings import Embeddings
from tritonkit.export.accuracy.invariance import batch_dependence
from tritonkit.export.accuracy.judge import Judge
from tritonkit.export.accuracy.outputs import check_shapes, output_differences, share_equal
from tritonkit.export.accuracy.ranks import Ranks
from tritonkit.export.accuracy.token_classes import TokenClasses
from tritonkit.export.accuracy.values import Values
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Answers, Comparison, Source

__all__ = ["assess"]

_JUDGES: Mapping[Comparison, Judge] = {
    "embeddings": Embeddings(),
    "classes": Classes(),
    "token_classes": TokenClasses(),
    "ranks": Ranks(),
    "values": Values(),
}

_BATCH = 8
_WORST, _WORST_EXTREMES = 10, 3
"""How many samples are shown, and how many of them may be extremes of our own."""


def assess(source: Source, network: Network, samples: Samples, reference: Answers) -> Accuracy:
    """
    Compare a finished graph with its source.

    Args:
        source: Says which output is judged, and how.
        network: The graph.
        samples: With extremes at their end, as `with_extremes` adds them.
        reference: The source's own answers to all of *samples*.

    Raises:
        ConfigError: If the labels of *samples* are none of the model's.
        ExportError: If the graph lacks an output of the source, or its answers have
            other shapes.
    """
    judge = _JUDGES[source.comparison]
    batch = batch_dependence(source, network, samples, judge)
    batches = _batches(source, samples, mixed=not batch.invariant)
    answers = network.answer_batches(samples, batches)
    check_shapes(reference, answers)
    right, given = reference[source.judged], answers[source.judged]
    own = _without_extremes(samples)
    task = judge.task(right[: len(own)], given[: len(own)], own, source.labels)
    cosines = judge.cosines(right[: len(own)], given[: len(own)])
    return Accuracy(
        metric=task.metric,
        value=task.value,
        source_value=task.source_value,
        agreement=float(judge.agreement(right[: len(own)], given[: len(own)], own).mean()),
        cosine_mean=float(cosines.mean()),
        cosine_min=float(cosines.min()),
        figures={**task.figures, **_equal_labels(source, reference, answers, len(own))},
        outputs=output_differences(reference, answers),
        batch=batch,
        worst=_worst(judge, source, samples, reference, answers),
        score=judge.score,
        samples=len(own),
        origin=samples.origin,
        extremes=samples.extremes,
    )


def _batches(source: Source, samples: Samples, *, mixed: bool) -> list[list[int]]:
    """
    In which batches *samples* are asked, always the same: eight at a time.

    Mixed, short ones beside long ones, where an answer depends on its batch; else by
    size, so that little of a batch is padding. Extremes have batches of their own: a
    number that is far out would cost its neighbours in dynamic int8 the accuracy that
    is measured here.
    """
    order = np.random.default_rng(0).permutation(samples.judged)
    if not mixed:
        order = order[np.argsort(samples.sizes[order], kind="stable")]
    size = _BATCH if source.batched else 1
    return [
        part[at : at + size].tolist()
        for part in (order, np.arange(samples.judged, len(samples)))
        for at in range(0, len(part), size)
    ]


def _without_extremes(samples: Samples) -> Samples:
    if not samples.extremes:
        return samples
    end = samples.judged
    return Samples(
        {name: column[:end] for name, column in samples.columns.items()},
        samples.origin,
        None if samples.labels is None else samples.labels[:end],
        None if samples.matches is None else samples.matches[:end],
    )


def _equal_labels(
    source: Source, reference: Answers, answers: Answers, end: int
) -> dict[str, float]:
    """For each other output that is no measure but a name or a number of a class."""
    return {
        f"same {name}": share_equal(rows[:end], answers[name][:end])
        for name, rows in reference.items()
        if name != source.judged and not (is_numeric(rows) and rows[0].dtype.kind == "f")
    }


def _worst(
    judge: Judge, source: Source, samples: Samples, reference: Answers, answers: Answers
) -> tuple[WorstSample, ...]:
    right, given = reference[source.judged], answers[source.judged]
    scores: NDArray[np.float64] = judge.scores(right, given)
    order: list[int] = np.argsort(scores, kind="stable").tolist()
    extremes = [at for at in order if at >= samples.judged]
    # The user's own are what the budget is about: they are not crowded out.
    left_out = set(extremes[max(_WORST_EXTREMES, _WORST - samples.judged) :])
    positions = [at for at in order if at not in left_out][:_WORST]
    return tuple(
        WorstSample(
            position=at,
            preview=samples.preview(at),
            score=float(scores[at]),
            detail=judge.detail(right[at], given[at], source.labels),
        )
        for at in positions
    )
