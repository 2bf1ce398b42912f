"""What the served models of one variant are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tritonkit.export.sources.source import Part, Source
from tritonkit.repository import check_model_name

__all__ = ["ServedNames", "served_names", "variant_suffixes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedNames:
    """
    The models of one variant.

    Args:
        called: What clients call.
        before: The part in front of the graph; empty where there is none.
        graph: The graph; the same as `called` where it has no parts.
        after: The part behind the graph; empty where there is none.
        shared: Those that other variants of the family use too.
    """

    called: str
    before: str
    graph: str
    after: str
    shared: frozenset[str]

    @property
    def all(self) -> tuple[str, ...]:
        """Each once, what clients call last."""
        names = (self.before, self.graph, self.after, self.called)
        return tuple(dict.fromkeys(name for name in names if name))


def variant_suffixes(variants: Sequence[str]) -> tuple[str, ...]:
    """What each of *variants* adds to the name: nothing for the first, else "_int8"."""
    return tuple(f"_{variant}" if position else "" for position, variant in enumerate(variants))


def served_names(source: Source, name: str, variant_suffix: str = "") -> ServedNames:
    """
    The models that *source* becomes.

    Args:
        source: Its parts and its role decide which models there are.
        name: What clients call the first variant of the family.
        variant_suffix: Out of `variant_suffixes`.

    Raises:
        RepositoryError: If a name is not one that Triton takes.
    """
    called = check_model_name(f"{name}{variant_suffix}")
    before, after = source.before, source.after

    def part_name(part: Part | None) -> str:
        if part is None:
            return ""
        return check_model_name(f"{name if part.shared else called}_{part.role}")

    parts = {part_name(part): part for part in (before, after)}
    return ServedNames(
        called=called,
        before=part_name(before),
        graph=check_model_name(f"{called}_{source.role}") if before or after else called,
        after=part_name(after),
        shared=frozenset(name for name, part in parts.items() if part and part.shared),
    )
