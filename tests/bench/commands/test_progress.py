from __future__ import annotations

import asyncio
import io

from tritonkit.bench.commands.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_a_terminal_sees_the_line_and_then_nothing() -> None:
    terminal = Terminal()
    async with Progress(terminal).showing(lambda: "half way"):
        await asyncio.sleep(0)
        assert terminal.getvalue().endswith("half way")
    assert terminal.getvalue().endswith("\r\x1b[K")


async def test_a_line_does_not_go_over_into_the_next() -> None:
    """What is wrapped cannot be erased by a carriage return."""
    terminal = Terminal()
    async with Progress(terminal).showing(lambda: "x" * 200):
        await asyncio.sleep(0)
        assert len(terminal.getvalue().removeprefix("\r\x1b[K")) == 79


async def test_a_file_sees_nothing() -> None:
    stream = io.StringIO()
    async with Progress(stream).showing(lambda: "half way"):
        await asyncio.sleep(0)
    assert stream.getvalue() == ""
