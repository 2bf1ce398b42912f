"""A tier as a recipe, so that it is judged and timed beside the precisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.stages.recipe import Bench, Recipe
from tritonkit.export.stages.rewrite import rewrite
from tritonkit.export.tiers.student import kept_layers
from tritonkit.export.tiers.tier import TierKind, check_tier, make_tier

__all__ = ["TierRecipe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRecipe(Recipe):
    """
    Trains a tier.

    Args:
        kind: Out of TIERS.
        source: The teacher.
        texts: What to train on; nothing that the tier is judged by.
        threads: Threads of teacher and training; 0 for every core.
        seconds: What training may take.
        progress: Told how far it is.

    Raises:
        ConfigError: If there are too few texts, or no such tier can be made of the source.
    """

    kind: TierKind
    source: SentenceTransformer
    texts: Sequence[str]
    threads: int
    seconds: float
    progress: Callable[[str], None]
    _made: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    """How it was made, once it is."""

    def __post_init__(self) -> None:
        check_tier(self.kind, self.source, self.texts)

    @property
    def name(self) -> str:
        """The tier's kind."""
        return self.kind

    @property
    def precision(self) -> str:
        """What its weights and activations are in."""
        return "int8" if self.kind == "student" else "w8"

    @property
    def summary(self) -> str:
        """How it was made; before, what it will be made of."""
        if self._made:
            return self._made[-1]
        trained = f"trained on {len(self.texts)} texts to answer as its source"
        if self.kind == "static":
            return f"a vector of 8 bits for each token and their mean, {trained}"
        layers, total = kept_layers(self.source)
        return f"layers {', '.join(map(str, layers))} of {total} in int8, {trained}"

    def apply(self, bench: Bench, target: Path) -> None:
        """Train it on the answers of the finished FP32 graph."""
        teacher = bench.scratch / f"{self.kind}_teacher.onnx"
        rewrite(bench.graph, teacher, self.source.finish, what="pooling")
        try:
            tier = make_tier(
                self.kind,
                self.source,
                teacher,
                self.texts,
                bench.scratch,
                threads=self.threads,
                seconds=self.seconds,
                progress=self.progress,
            )
            tier.graph.replace(target)
            self._made.append(tier.summary)
        finally:
            teacher.unlink()
