"""A worker's process: `python -m tritonkit.gateway.workers.worker NUMBER FD`, the plan on stdin."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from contextlib import suppress

from tritonkit.errors import TritonkitError
from tritonkit.gateway.workers.plan import Plan
from tritonkit.gateway.workers.serve import serve

__all__ = ["main"]

READY = b"ready\n"
"""What a worker writes when it takes requests."""


def main(worker: int, descriptor: int) -> int:
    """Serve by the plan on standard input, until that is closed or a signal says so."""
    logging.basicConfig(level=logging.INFO, format=f"[{worker}] %(message)s", stream=sys.stderr)
    told = sys.stdin.buffer.readline()
    if not told:
        # Whoever started this process was gone before it could say what for.
        return 1
    plan = Plan.from_json(told.decode())
    listener = socket.socket(fileno=descriptor)
    try:
        return serve(plan, listener, worker=worker, ready=_tell, owner=_owner)
    except TritonkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code


def _tell() -> None:
    # Who is gone is no owner, which `_owner` sees.
    with suppress(BrokenPipeError):
        os.write(1, READY)


async def _owner() -> None:
    """Whoever started this process holds the other end of its standard input."""
    loop = asyncio.get_running_loop()
    gone = loop.create_future()
    descriptor = sys.stdin.fileno()

    def look() -> None:
        if not os.read(descriptor, 4096) and not gone.done():
            loop.remove_reader(descriptor)
            gone.set_result(None)

    loop.add_reader(descriptor, look)
    try:
        await gone
    finally:
        loop.remove_reader(descriptor)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
