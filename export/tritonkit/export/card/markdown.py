"""A card as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tritonkit.export.accuracy.table import accuracy_table, worst_table
from tritonkit.export.card.card import CARD_PICTURE, Card
from tritonkit.export.card.tried import tried_table
from tritonkit.export.markdown_table import markdown_table
from tritonkit.export.search.candidate import Speed
from tritonkit.units import format_size

__all__ = ["card_markdown", "summary_table"]


def card_markdown(card: Card, *, pictured: bool = False) -> str:
    """
    The card as `card.md` holds it.

    Args:
        card: What it tells.
        pictured: Whether the picture of what was tried along with it is beside the card.
    """
    return "\n".join(_sections(card, pictured)) + "\n"


def summary_table(cards: Sequence[Card]) -> str:
    """The measured quantities, a row for each card, as a Markdown table."""
    return markdown_table(
        ("model", "recipe", "size", "smaller", "faster", "metric", "lost", "cosine", "agreement"),
        [
            (
                card.model,
                card.recipe,
                format_size(card.size_bytes),
                f"{card.times_smaller:.2f}x",
                "" if card.speed is None else f"{card.speed.throughput:.2f}x",
                f"{card.accuracy.metric} {card.accuracy.value:.4f}",
                f"{card.accuracy.loss:.2%}",
                f"{card.accuracy.cosine_mean:.4f}",
                f"{card.accuracy.agreement:.4f}",
            )
            for card in cards
        ],
        words=2,
    )


def _sections(card: Card, pictured: bool) -> Iterator[str]:
    yield from (f"# {card.model}, version {card.version}", "")
    yield f"The {card.source_kind} `{card.source}` as {card.recipe}: {card.summary}."
    yield from ("", f"Why this recipe: {card.reason}.", "")
    yield from _tensors("Input", card.inputs)
    yield from _tensors("Output", card.outputs)
    yield from ("", summary_table([card]), "", "## Accuracy", "", accuracy_table(card.accuracy))
    if card.accuracy.worst:
        yield from ("", "The samples that agree least:", "", worst_table(card.accuracy))
    yield from ("", _batch(card), "")
    if tried := tried_table(card):
        yield from ("## What was tried", "")
        if pictured:
            yield from (f"![front]({CARD_PICTURE})", "")
        yield from (tried, "")
    yield from ("## Conditions", "")
    yield from (f"- {condition}" for condition in _conditions(card))


def _tensors(kind: str, tensors: Mapping[str, str]) -> Iterator[str]:
    for name, form in tensors.items():
        yield f"- {kind} `{name}`: {form}"


def _batch(card: Card) -> str:
    batch = card.accuracy.batch
    if batch.invariant:
        return "An answer does not depend on what else is in its batch."
    return (
        "**An answer depends on what else is in its batch**: alone and among others, cosine "
        f"{batch.cosine_min:.4f} at worst, {batch.agreement:.1%} the same. "
        "A cache of rows must not hold such answers unless that is good enough."
    )


def _sureness(speed: Speed) -> str:
    """How sure the ratio to fp32 is, which the machine's other work disturbs."""
    error = speed.error.get(speed.batch, 0.0)
    if not error:
        return ""
    return (
        f"; at batch {speed.batch} {speed.throughput:.2f} times fp32, give or take {2 * error:.2f}"
    )


def _conditions(card: Card) -> Iterator[str]:
    yield f"Samples: {card.accuracy.samples}, {card.accuracy.origin}."
    limits = card.budget.limits()
    yield f"Limits that were set: {', '.join(limits) if limits else 'none'}."
    if card.speed is not None:
        rates = ", ".join(
            f"{rate:.0f} rows/s in batches of {size}"
            for size, rate in sorted(card.speed.rows_per_second.items())
        )
        yield (
            f"Speed: {rates}; onnxruntime in one process, not through Triton, in turns with "
            f"fp32; {card.threads or 'all'} threads{_sureness(card.speed)}."
        )
    if card.advice:
        yield f"On another machine: {card.advice}"
    if card.onnxruntime:
        yield (
            f"Opset {card.opset}; onnxruntime {card.onnxruntime} or newer, "
            f"which Triton carries in {card.triton}."
        )
    else:
        yield f"Opset {card.opset}; releases of Triton that load it: {card.triton}."
    yield f"Machine: {', '.join(f'{k} {v}' for k, v in card.machine.items())}."
    yield f"Versions: {', '.join(f'{k} {v}' for k, v in card.versions.items())}."
    yield from (f"Source: {note}." for note in card.notes)
    yield f"Source sha256: `{card.source_digest}`."
    made = f" by `{card.command}`" if card.command else ", from an object in memory"
    yield f"Made {card.created}{made}."
