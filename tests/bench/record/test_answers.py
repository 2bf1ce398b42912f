"""Answers are checked after their time was taken, all of them."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from tritonkit.bench.inputs.workload import Item
from tritonkit.bench.record.answers import MAX_WAITING, Answers
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.record.slices import SliceRecord
from tritonkit.bench.record.summary import failures_of
from tritonkit.bench.targets.target import Channel, Taken, Target
from tritonkit.client import Tensors
from tritonkit.errors import ProtocolError


class Numbers(Target):
    """Its answers are numbers, and come one of two ways; 13 cannot be decoded."""

    def prepare(self, item: Item) -> Any:
        raise NotImplementedError

    async def channel(self) -> Channel:
        raise NotImplementedError

    def outputs(self, answer: Any) -> Tensors:
        if answer == 13:
            raise ProtocolError("thirteen")
        return {"y": np.array([answer])}

    def way(self, answer: Any) -> Taken | None:
        return Taken("even" if answer % 2 == 0 else "odd", hits=0, rows=1)


def even(outputs: Tensors) -> str | None:
    return f"output 'y' is {outputs['y'][0]}" if outputs["y"][0] % 2 else None


CHECKED = Item(inputs={}, check=even)


async def taken(answers: list[int], item: Item) -> tuple[Recorder, SliceRecord]:
    recorder = Recorder()
    async with Answers(Numbers(), recorder) as taking:
        for at_ns, answer in enumerate(answers):
            taking.take(item, answer, at_ns, 20, 10)
        assert len(answers) - recorder.ended <= MAX_WAITING
    return recorder, SliceRecord.joined(record for _, record in recorder.slices())


async def test_wrong_answers_are_failures_and_right_ones_keep_their_way() -> None:
    recorder, record = await taken([0, 2, 3, 5, 13], CHECKED)
    found = [(f.kind, f.count, f.first) for f in failures_of(recorder, record)]
    assert found == [("WrongAnswer", 2, "output 'y' is 3"), ("ProtocolError", 1, "thirteen")]
    assert (record.latency.count, record.ways["even"].latency.count) == (2, 2)
    assert "odd" not in record.ways


async def test_without_a_check_the_status_is_enough() -> None:
    _, record = await taken([0, 3, 13], Item(inputs={}))
    assert record.latency.count == 3
    assert record.ways["odd"].latency.count == 2


async def test_few_answers_wait_and_none_is_lost() -> None:
    _, record = await taken(list(range(0, 4 * MAX_WAITING, 2)), CHECKED)
    assert record.latency.count == 2 * MAX_WAITING


async def test_answers_are_checked_while_the_load_runs() -> None:
    recorder = Recorder()
    async with Answers(Numbers(), recorder) as taking:
        taking.take(CHECKED, 2, 0, 20, 10)
        assert recorder.ended == 0
        for _ in range(3):
            await asyncio.sleep(0)
        assert recorder.ended == 1
