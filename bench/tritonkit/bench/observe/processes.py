"""Processor time and memory of the load generator's processes and of the server's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from tritonkit.bench.observe.observer import Observed, Observer
from tritonkit.bench.observe.sampler import Sampler

__all__ = ["Account", "Processes", "Reading", "read_process", "trees"]

INTERVAL = 0.2
"""Seconds between looks at known processes."""

_REFRESH = 1.0
"""Seconds between looks for new ones, which takes a reading of every process; one that
starts and ends in between is not seen."""


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One process at one moment.

    Args:
        parent: Id of its parent.
        started: When it started, in the system's ticks; with its id it is unique.
        cpu: Seconds of processor time so far, of all its threads.
        rss_bytes: Memory that it holds; pages shared with others count for each.
    """

    parent: int
    started: int
    cpu: float
    rss_bytes: int


def read_process(pid: int, proc: Path = Path("/proc")) -> Reading | None:
    """A reading of `/proc/PID/stat`; None where there is no such process any more."""
    try:
        stat = (proc / str(pid) / "stat").read_text(errors="replace")
        # The name stands in parentheses and may hold anything.
        fields = stat.rpartition(")")[2].split()
        return Reading(
            parent=int(fields[1]),
            started=int(fields[19]),
            cpu=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
            rss_bytes=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        )
    except (OSError, IndexError, ValueError):
        return None


def trees(
    roots: Iterable[int], parents: Mapping[int, int], *, without: Iterable[int] = ()
) -> frozenset[int]:
    """
    *roots* and what descends from them.

    Args:
        roots: Ids of processes.
        parents: Each process's parent.
        without: Processes left out, with all that descends from them alone.
    """
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    left_out = set(without)
    found: set[int] = set()
    waiting = [pid for pid in roots if pid in parents]
    while waiting:
        pid = waiting.pop()
        if pid not in found and pid not in left_out:
            found.add(pid)
            waiting += children.get(pid, [])
    return frozenset(found)


@dataclass
class Account:
    """
    Adds up readings of a group of processes.

    A process that was there at the first reading counts from there; one that came
    later counts from its start. One that ends keeps what it had when it was last seen.
    """

    most_rss_bytes: int = 0
    _first: dict[tuple[int, int], float] = field(default_factory=dict)
    _last: dict[tuple[int, int], float] = field(default_factory=dict)
    _started: bool = False

    def add(self, readings: Mapping[int, Reading]) -> None:
        """All of them at one moment, by id."""
        for pid, reading in readings.items():
            key = (pid, reading.started)
            self._first.setdefault(key, 0.0 if self._started else reading.cpu)
            self._last[key] = reading.cpu
        self._started = True
        total = sum(reading.rss_bytes for reading in readings.values())
        self.most_rss_bytes = max(self.most_rss_bytes, total)

    @property
    def cpu(self) -> float:
        """Seconds of processor time since the first reading."""
        return sum(last - self._first[key] for key, last in self._last.items())

    @property
    def empty(self) -> bool:
        """Whether no process was ever seen."""
        return not self._last


class Processes(Observer):
    """
    Watches this process with its children, and the server's processes.

    A server that this process started counts as the server, not as a child. Where
    nothing can be read, as on other systems than Linux, it tells nothing.

    Args:
        server: Ids of the server's processes, asked for at the start of a window and
            again when they are gone; empty where it is elsewhere or cannot be told.
        interval: Seconds between looks.
        proc: Where the system shows its processes.
    """

    def __init__(
        self,
        server: Callable[[], frozenset[int]] = frozenset,
        *,
        interval: float = INTERVAL,
        proc: Path = Path("/proc"),
    ) -> None:
        self._find_server = server
        self._proc = proc
        self._sampler = Sampler(self._sample, interval)
        self._reset()

    async def start(self) -> None:
        """Begin a window."""
        self._reset()
        await self._sampler.start()

    async def stop(self) -> Observed:
        """End it, and tell what was seen in between."""
        # The last look finds processes that came since the one before.
        self._refreshed = 0.0
        await self._sampler.stop()
        seconds = max(self._ended - self._begun, 1e-9)
        client, server = self._client, self._server
        return Observed(
            client_cpu=None if client.empty else client.cpu / seconds,
            client_rss_bytes=None if client.empty else client.most_rss_bytes,
            server_cpu=None if server.empty else server.cpu / seconds,
            server_rss_bytes=None if server.empty else server.most_rss_bytes,
        )

    def _reset(self) -> None:
        self._client, self._server = Account(), Account()
        self._client_pids: frozenset[int] = frozenset()
        self._server_pids: frozenset[int] = frozenset()
        self._roots: frozenset[int] = frozenset()
        self._begun = self._ended = self._refreshed = 0.0

    def _sample(self) -> None:
        now = monotonic()
        if now - self._refreshed >= _REFRESH:
            self._refresh()
            self._refreshed = now
        self._client.add(self._readings(self._client_pids))
        self._server.add(self._readings(self._server_pids))
        self._ended = monotonic()
        self._begun = self._begun or self._ended

    def _refresh(self) -> None:
        parents: dict[int, int] = {}
        with suppress(OSError):
            for folder in self._proc.iterdir():
                if folder.name.isdigit():
                    reading = read_process(int(folder.name), self._proc)
                    if reading is not None:
                        parents[int(folder.name)] = reading.parent
        if not self._roots & parents.keys():
            self._roots = self._find_server()
        # A server inside this very process cannot be told from the generator.
        roots = self._roots - {os.getpid()}
        self._server_pids = trees(roots, parents)
        self._client_pids = trees([os.getpid()], parents, without=roots)

    def _readings(self, pids: Iterable[int]) -> dict[int, Reading]:
        found = {pid: read_process(pid, self._proc) for pid in pids}
        return {pid: reading for pid, reading in found.items() if reading is not None}
