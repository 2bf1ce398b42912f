"""The layers of a stack, with those that stand inside others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tritonkit.client.stack import Layer

__all__ = ["layers_in"]


def layers_in(parts: Iterable[object]) -> Iterator[Layer]:
    """Every layer once, also those that stand on the ways inside others."""
    seen: set[int] = set()

    def walk(parts: Iterable[object]) -> Iterator[Layer]:
        for part in parts:
            if not isinstance(part, Layer) or id(part) in seen:
                continue
            seen.add(id(part))
            yield part
            for *_, route in part.inside():
                yield from walk(route.layers)

    return walk(parts)
