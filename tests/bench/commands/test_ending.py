"""Signals that end a command early."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tritonkit.bench.commands.ending import ended_by_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_sets_the_event_however_often_it_comes(number: signal.Signals) -> None:
    event = asyncio.Event()
    before = signal.getsignal(number)
    with ended_by_signals(event):
        for _ in range(2):
            event.clear()
            os.kill(os.getpid(), number)
            await asyncio.wait_for(event.wait(), 10)
    assert signal.getsignal(number) == before


async def test_what_nohup_ignores_stays_ignored() -> None:
    event = asyncio.Event()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals(event):
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.05)
        assert not event.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
