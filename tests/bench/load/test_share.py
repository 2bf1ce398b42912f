from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonkit.bench.inputs.workload import Item, Workload, in_turn
from tritonkit.bench.load.share import Share


def turned(number: int, of: int, items: int, count: int) -> list[int]:
    """The first indices of one process, of an order in turn."""
    chunks = Share(number, of).turned(in_turn(items, 0), items)
    return list(islice(chain.from_iterable(chunk.tolist() for chunk in chunks), count))


@given(st.integers(1, 70), st.integers(1, 8), st.data())
def test_each_process_of_a_closed_loop_sends_every_item_equally_often(
    items: int, of: int, data: st.DataObject
) -> None:
    """
    A process sends at the pace of its answers: with two of them and the odd items for one
    alone, quick odd items would be sent more often than slow even ones.
    """
    number = data.draw(st.integers(0, of - 1))
    # `of` turns give each process each item once.
    counts = Counter(turned(number, of, items, 3 * items))
    assert counts == dict.fromkeys(range(items), 3)


@given(st.integers(1, 30), st.integers(1, 6), st.lists(st.integers(1, 50), max_size=8))
def test_turned_shares_are_all_of_one_order(items: int, of: int, sizes: list[int]) -> None:
    def chunks() -> Iterator[NDArray[np.int64]]:
        start = 0
        for size in sizes:
            yield np.arange(start, start + size)
            start += size

    shares = [
        [place for chunk in Share(number, of).turned(chunks(), items) for place in chunk.tolist()]
        for number in range(of)
    ]
    assert all(share == sorted(share) for share in shares)
    assert sorted(chain.from_iterable(shares)) == list(range(sum(sizes)))


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 4))
def test_each_machine_and_each_of_its_processes_sends_every_item(
    items: int, machines: int, processes: int
) -> None:
    workload = Workload(items=[Item(inputs={})] * items).thinned(machines, machines - 1)
    chunks = Share(0, processes).turned(workload.order(items, 0), items)
    sent = islice(chain.from_iterable(chunk.tolist() for chunk in chunks), 2 * items)
    assert Counter(sent) == dict.fromkeys(range(items), 2)
