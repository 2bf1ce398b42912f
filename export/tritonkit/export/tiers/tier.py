"""Cheap tiers of a text embedding model, in its own vector space."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal, TypeAlias, cast

import numpy as np

from tritonkit.errors import ConfigError
from tritonkit.export.network import Network
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.tiers.examples import Examples, batches_of, embed, mean_cosine, padded
from tritonkit.export.tiers.split import distinct
from tritonkit.export.tiers.static import make_static
from tritonkit.export.tiers.student import kept_layers, make_student

__all__ = ["FEWEST", "TIERS", "Tier", "TierKind", "check_tier", "make_tier"]

TierKind: TypeAlias = Literal["student", "static"]
"""student: half of the layers, distilled. static: a vector a token, averaged."""

TIERS: tuple[TierKind, ...] = ("student", "static")

FEWEST = 500
"""Different texts that a tier is trained on at the least."""

_HELD_OUT = 1000
_BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """
    A cheaper model whose embeddings are found in the teacher's index.

    Args:
        kind: What it is.
        graph: Finished ONNX file: input_ids and attention_mask to `embedding`, FP32
            (batch, dimension), as the teacher's.
        summary: How it was made, in half a line for the card.
        texts: Different texts that it was trained on.
        held_out: Further texts that told when to stop, and gave `cosine`.
        epochs: How often it saw the texts.
        seconds: What making it took, embedding the texts by the teacher included.
        cosine: Mean cosine of `graph`'s embeddings to the teacher's on the held-out texts.
            It is a little too high for other texts, as the best epoch was chosen by it.
        layers: Positions of the teacher's layers that it is made of; none for static.
    """

    kind: TierKind
    graph: Path
    summary: str
    texts: int
    held_out: int
    epochs: int
    seconds: float
    cosine: float
    layers: tuple[int, ...] = ()


def check_tier(kind: str, source: SentenceTransformer, texts: Sequence[str]) -> list[str]:
    """
    The different ones of *texts*, if a tier can be trained on them.

    Raises:
        ConfigError: If there is no such tier, fewer than FEWEST different texts, or a
            teacher that no student can be made of.
    """
    if kind not in TIERS:
        raise ConfigError(f"the tiers are {' and '.join(TIERS)}, but got {kind!r}.")
    if kind == "student":
        kept_layers(source)
    different = distinct(texts)
    if len(different) < FEWEST:
        raise ConfigError(
            f"the {kind} tier is trained on {FEWEST} different texts or more, better on 10,000, "
            f"but got {len(different)}; those that it is judged by do not count."
        )
    return different


def make_tier(
    kind: str,
    source: SentenceTransformer,
    graph: Path,
    texts: Sequence[str],
    folder: Path,
    *,
    threads: int,
    seconds: float,
    progress: Callable[[str], None],
) -> Tier:
    """
    Train a tier of *source* on *texts*.

    Texts need no labels. They should be like those that will be embedded, and none that
    the tier is judged by: see `split_samples`.

    Args:
        kind: Out of TIERS.
        source: The teacher.
        graph: Its finished FP32 graph.
        texts: What to train on.
        folder: Directory to write KIND.onnx into, whole or not at all.
        threads: Threads of teacher and training; 0 for every core.
        seconds: What embedding the texts and training on them may take. If the teacher
            does not get to all texts in a third of it, the others are left out. The
            student's conversion comes on top.
        progress: Told how far it is.

    Raises:
        ConfigError: If there is no such tier, fewer than FEWEST different texts, or a
            teacher that no student can be made of.
        ExportError: If training or conversion fails.
        MissingExtra: If the export extra is not installed.
    """
    different = check_tier(kind, source, texts)
    started = monotonic()

    def report(text: str) -> None:
        progress(f"{kind}: {text}")

    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{kind}-") as name:
        scratch = Path(name)
        examples = embed(
            source,
            graph,
            different,
            threads=threads,
            until=started + seconds / 3,
            at_least=FEWEST,
            progress=report,
        )
        share = min(_HELD_OUT, len(examples) // 10)
        held_out, train = examples.part(0, share), examples.part(share, len(examples))
        made, until = scratch / f"{kind}.onnx", started + seconds
        if kind == "student":
            student = make_student(
                source,
                train,
                held_out,
                made,
                scratch=scratch,
                threads=threads,
                until=until,
                progress=report,
            )
            layers, epochs = student.layers, student.epochs
            names = ", ".join(map(str, layers))
            how = f"layers {names} of {student.of}, distilled"
        else:
            static = make_static(
                source,
                graph,
                train,
                held_out,
                made,
                threads=threads,
                until=until,
                progress=report,
            )
            layers, epochs = (), static.epochs
            how = "a vector for each token"
            if static.tokens < static.of:
                how = f"a vector for {static.tokens} of {static.of} tokens, as time ran out"
            how += ", tuned"
        cosine = _cosine(source, made, held_out, threads)
        target = made.replace(folder / made.name)
    return Tier(
        kind=cast("TierKind", kind),
        graph=target,
        summary=f"{how} on {len(train)} texts for {epochs} epochs, int8",
        texts=len(train),
        held_out=len(held_out),
        epochs=epochs,
        seconds=monotonic() - started,
        cosine=cosine,
        layers=layers,
    )


def _cosine(source: SentenceTransformer, graph: Path, held_out: Examples, threads: int) -> float:
    network = Network(source, graph, threads=threads)
    answers = [
        network.run(padded(rows, source.pad_id))[source.judged]
        for rows in batches_of(held_out.rows, _BATCH)
    ]
    return mean_cosine(np.concatenate(answers), held_out.embeddings)
