"""Where the boxes of a picture stand, and which way its wires go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tritonkit.repository.ensemble.picture.diagram import Diagram, Wire
from tritonkit.repository.ensemble.picture.size import (
    COLUMN_GAP,
    ROW_GAP,
    Size,
    box_size,
    port_offset,
)

__all__ = ["Layout", "Placed", "lay_out"]

_SWEEPS = 4
_LANE = 12.0
"""Height that a wire takes where it passes between boxes."""


@dataclass(frozen=True, slots=True)
class Placed:
    """
    A box, and where its upper left corner is in pixels.

    Args:
        x: From the left.
        y: From the top.
        size: Of all of it.
        inside: The layout of what is in a box that is open.
    """

    x: float
    y: float
    size: Size
    inside: Layout | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Places in pixels, from the upper left corner of the picture's inside.

    Args:
        boxes: In the diagram's order.
        ways: Of each wire, the points that it passes, from port to port.
        width: Of all together.
        height: Of all together.
    """

    boxes: tuple[Placed, ...]
    ways: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    height: float


@dataclass(slots=True)
class _Item:
    """A box, or a wire that passes a column."""

    column: int
    height: float
    y: float = 0.0


def lay_out(diagram: Diagram) -> Layout:
    """
    Columns from left to right, each box right of all that it takes from.

    Boxes of a column are ordered by what they are tied to, so that few wires cross, and moved
    towards it. Equal diagrams have equal layouts.
    """
    inner = [lay_out(box.inside) if box.inside is not None else None for box in diagram.boxes]
    size = [
        box_size(box, Size(one.width, one.height) if one is not None else None)
        for box, one in zip(diagram.boxes, inner, strict=True)
    ]
    columns = _columns(diagram)
    items = [_Item(columns[n], size[n].height) for n in range(len(diagram.boxes))]
    # Of each wire, its items from left to right: boxes, and lanes between them.
    chains: list[list[int]] = []
    for wire in diagram.wires:
        chain = [wire.source]
        for column in range(columns[wire.source] + 1, columns[wire.target]):
            chain.append(len(items))
            items.append(_Item(column, _LANE))
        chains.append([*chain, wire.target])
    order = _order(items, chains)
    _place(items, order, chains)
    top = min((item.y for item in items), default=0.0)
    for item in items:
        item.y -= top
    widths = [
        max((size[n].width for n in column if n < len(size)), default=0.0) for column in order
    ]
    left = [sum(widths[:n]) + n * COLUMN_GAP for n in range(len(widths))]
    boxes = tuple(
        Placed(left[columns[n]] + (widths[columns[n]] - one.width) / 2, items[n].y, one, inner[n])
        for n, one in enumerate(size)
    )
    ways = tuple(
        _way(diagram, wire, chain, items, boxes, left, widths)
        for wire, chain in zip(diagram.wires, chains, strict=True)
    )
    return Layout(
        boxes,
        ways,
        left[-1] + widths[-1] if left else 0.0,
        max([item.y + item.height for item in items] + [y for way in ways for _, y in way] + [0.0]),
    )


def _columns(diagram: Diagram) -> list[int]:
    """The column of each box: the longest way to it; a wire that closes a circle goes back."""
    after: dict[int, list[int]] = {n: [] for n in range(len(diagram.boxes))}
    for wire in diagram.wires:
        after[wire.source].append(wire.target)
    columns = [0] * len(diagram.boxes)
    state = [0] * len(diagram.boxes)
    sequence: list[int] = []
    back: set[tuple[int, int]] = set()
    for root in range(len(diagram.boxes)):
        stack = [(root, iter(after[root]))] if not state[root] else []
        state[root] = state[root] or 1
        while stack:
            node, left = stack[-1]
            following = next(left, None)
            if following is None:
                state[node] = 2
                sequence.append(node)
                stack.pop()
            elif state[following] == 1:
                back.add((node, following))
            elif not state[following]:
                state[following] = 1
                stack.append((following, iter(after[following])))
    for node in reversed(sequence):
        for following in after[node]:
            if (node, following) not in back:
                columns[following] = max(columns[following], columns[node] + 1)
    last = max(columns, default=0)
    for number, box in enumerate(diagram.boxes):
        if box.kind == "output":
            columns[number] = last
        elif box.kind in ("input", "nothing") and after[number]:
            # Beside the first box that takes it.
            columns[number] = max(min(columns[n] for n in after[number]) - 1, 0)
    return columns


def _order(items: Sequence[_Item], chains: Sequence[Sequence[int]]) -> list[list[int]]:
    count = 1 + max((item.column for item in items), default=0)
    order = [[n for n, item in enumerate(items) if item.column == c] for c in range(count)]
    before, after = _neighbours(items, chains)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for column in order if forward else reversed(order):
            place = {n: i for one in order for i, n in enumerate(one)}
            tied = before if forward else after
            column.sort(
                # mypy infers no lambda that has defaults; they are what the loop changes.
                key=lambda n, place=place, tied=tied: (  # type: ignore[misc]
                    sum(place[one] for one in tied[n]) / len(tied[n]) if tied[n] else place[n]
                )
            )
    return order


def _neighbours(
    items: Sequence[_Item], chains: Sequence[Sequence[int]]
) -> tuple[list[list[int]], list[list[int]]]:
    before: list[list[int]] = [[] for _ in items]
    after: list[list[int]] = [[] for _ in items]
    for chain in chains:
        for one, other in pairwise(chain):
            if items[one].column < items[other].column:
                after[one].append(other)
                before[other].append(one)
    return before, after


def _place(
    items: Sequence[_Item], order: Sequence[Sequence[int]], chains: Sequence[Sequence[int]]
) -> None:
    """Stack each column, then move its items towards what they are tied to."""
    for column in order:
        y = 0.0
        for n in column:
            items[n].y = y
            y += items[n].height + ROW_GAP
    before, after = _neighbours(items, chains)
    for sweep in range(2 * _SWEEPS):
        forward = sweep % 2 == 0
        for column in order if forward else reversed(order):
            tied = before if forward else after
            wanted = [
                sum(items[o].y + items[o].height / 2 for o in tied[n]) / len(tied[n])
                - items[n].height / 2
                if tied[n]
                else items[n].y
                for n in column
            ]
            _settle([items[n] for n in column], wanted)


def _settle(column: Sequence[_Item], wanted: Sequence[float]) -> None:
    """Put items as near to the wanted heights as their order and sizes let them."""
    groups: list[tuple[float, float, int]] = []
    # Of each group of items that touch: its top, its height, how many.
    for item, top in zip(column, wanted, strict=True):
        y, height, count = top, item.height, 1
        while groups and groups[-1][0] + groups[-1][1] + ROW_GAP > y:
            other, tall, many = groups.pop()
            middle = (other * many + (y - tall - ROW_GAP) * count) / (many + count)
            y, height, count = middle, tall + ROW_GAP + height, many + count
        groups.append((y, height, count))
    index = 0
    for y, _, count in groups:
        for item in column[index : index + count]:
            item.y = y
            y += item.height + ROW_GAP
        index += count


def _way(
    diagram: Diagram,
    wire: Wire,
    chain: Sequence[int],
    items: Sequence[_Item],
    boxes: Sequence[Placed],
    left: Sequence[float],
    widths: Sequence[float],
) -> tuple[tuple[float, float], ...]:
    source, target = boxes[wire.source], boxes[wire.target]
    points = [
        (
            source.x + source.size.width,
            source.y + port_offset(diagram.boxes[wire.source], "output", wire.output),
        )
    ]
    for lane in chain[1:-1]:
        column, y = items[lane].column, items[lane].y + _LANE / 2
        points += [(left[column], y), (left[column] + widths[column], y)]
    if items[wire.target].column <= items[wire.source].column:
        # Back to the left, below all that is between.
        low = max(
            one.y + one.height
            for one in items
            if items[wire.target].column <= one.column <= items[wire.source].column
        )
        points += [(points[0][0], low + ROW_GAP / 2), (target.x, low + ROW_GAP / 2)]
    points.append(
        (target.x, target.y + port_offset(diagram.boxes[wire.target], "input", wire.input))
    )
    return tuple(points)
