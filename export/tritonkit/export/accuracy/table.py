"""Accuracy as Markdown: the figures, each output, the samples that agree least."""

from __future__ import annotations

from tritonkit.export.accuracy.accuracy import Accuracy
from tritonkit.export.markdown_table import markdown_table

__all__ = ["accuracy_table", "worst_table"]


_FEW = 100
"""Below this many samples, less than a percent of them is not there to be lost."""


def accuracy_table(accuracy: Accuracy) -> str:
    """
    Two tables: the figures beside the source's, and each output's difference.

    Ends without a line break.
    """
    counted = f"{accuracy.samples} samples ({accuracy.origin})"
    if accuracy.samples < _FEW:
        counted += f"; each is worth {1 / accuracy.samples:.1%} of a share such as agreement"
    if accuracy.extremes:
        counted += f"; {accuracy.extremes} extremes count in outputs and batch dependence only"
    batch = accuracy.batch
    rows = [
        (accuracy.metric, f"{accuracy.value:.4f}", f"{accuracy.source_value:.4f}"),
        ("agreement with the source", f"{accuracy.agreement:.4f}", ""),
        (
            "cosine to the source",
            f"{accuracy.cosine_mean:.4f}, {accuracy.cosine_min:.4f} at worst",
            "",
        ),
    ]
    rows += [
        (name, f"{value:.4g}", _optional(accuracy.figures.get(f"{name} of the source")))
        for name, value in accuracy.figures.items()
        if not name.endswith(" of the source")
    ]
    rows.append(
        (
            "alone and among others",
            "the same"
            if batch.invariant
            else f"depends on the batch: cosine {batch.cosine_min:.4f} at worst, "
            f"agreement {batch.agreement:.4f}",
            "",
        )
    )
    lines = [f"{counted}.", "", markdown_table(("figure", "model", "source"), rows, words=3)]
    if accuracy.outputs:
        outputs = [
            (
                f"`{name}`",
                f"{output.max_difference:.3g}",
                f"{output.mean_difference:.3g}",
                f"{output.cosine_mean:.5f}",
                f"{output.cosine_min:.5f}",
                str(output.not_finite),
            )
            for name, output in accuracy.outputs.items()
        ]
        header = (
            "output",
            "largest difference",
            "mean difference",
            "mean cosine",
            "lowest cosine",
            "NaN or infinite unlike the source",
        )
        lines += ["", markdown_table(header, outputs)]
    return "\n".join(lines)


def worst_table(accuracy: Accuracy, most: int = 10) -> str:
    """The *most* samples that agree least, worst first; ends without a line break."""
    rows = [
        (
            "extreme" if sample.position >= accuracy.samples else str(sample.position),
            sample.preview,
            f"{sample.score:.4f}",
            sample.detail,
        )
        for sample in accuracy.worst[:most]
    ]
    return markdown_table(("sample", "input", accuracy.score, "answer"), rows, words=4)


def _optional(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
