"""The file in which workers keep what they saw, and tell each other of themselves."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tritonkit.gateway.live.document import Alert
from tritonkit.gateway.live.history_file import opened
from tritonkit.gateway.live.levels import LEVELS, level_for
from tritonkit.gateway.live.sample import Sample
from tritonkit.gateway.live.setting import Setting
from tritonkit.gateway.live.tidying import (
    drop_alerts,
    drop_old,
    make_room,
    read,
    roll,
    rolled,
    summed,
    used,
)

__all__ = ["TOTALS", "Exchange", "History"]

FRESH = 10.0
"""Seconds after which a worker that says nothing is no more."""

WINDOW = 60.0
"""Seconds of which a worker that begins learns what went before."""

_MANY = 10.0
"""Seconds within which several workers tell of one and the same outage."""

_ALERT = """
INSERT INTO alerts (at, kind, text) SELECT :at, :kind, :text WHERE NOT (
    :kind IN ('breaker', 'endpoint', 'store', 'drift', 'tokens') AND EXISTS (
        SELECT 1 FROM alerts WHERE kind = :kind AND text = :text AND abs(at - :at) < :many
    )
)
"""

TOTALS = ("requests", "errors", "cost")
"""What is counted since the history began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """
    What a worker learns of the others.

    Args:
        samples: That others wrote since it looked last, by second.
        readings: What each of the others told of itself last.
        settings: What the page changed.
        alerts: The last ones, the newest first.
        totals: Requests, errors and cost since the history began.
    """

    samples: Sequence[tuple[int, Sample]] = ()
    readings: Sequence[Mapping[str, Any]] = ()
    settings: Sequence[Setting] = ()
    alerts: Sequence[Alert] = ()
    totals: Mapping[str, int] = field(default_factory=dict)


class History:
    """
    An SQLite file for the workers of one machine; what is written survives their ends.

    For one thread at a time.

    Args:
        path: Of the file; made, with its folder. None keeps all in memory.
        gateway: Names what the workers of one gateway have in common: readings and settings
            of another one, which ran before, say nothing of this one.
        worker: Number of the process.
        seconds: How long single seconds are kept.
        minutes: How long minutes are.
        size: The most bytes.
        writer: Tells what this process wrote from what others with its number did before.
        seen: Number of the last second of others that it knows; None for one that begins, and
            wants to know of the last minute.
        wall: Seconds since 1970.

    Raises:
        ConfigError: If the file is another program's.
        OSError: If it cannot be made.
        sqlite3.Error: Likewise.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        gateway: str = "",
        worker: int = 0,
        seconds: float = 3600.0,
        minutes: float = 7 * 86400.0,
        size: int = 128_000_000,
        writer: str = "",
        seen: int | None = None,
        wall: Callable[[], float],
    ) -> None:
        self._path, self._gateway, self._worker = path, gateway, worker
        self._kept = {
            level.seconds: max(seconds, minutes * level.share) if level.share else seconds
            for level in LEVELS
        }
        self._size, self._wall = size, wall
        self._writer = writer or os.urandom(8).hex()
        self.seen = seen
        self._file, self.inode = opened(path)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def exchange(
        self,
        samples: Sequence[tuple[int, Sample]] = (),
        reading: Mapping[str, Any] | None = None,
        alerts: Sequence[Alert] = (),
    ) -> Exchange:
        """
        Write what this worker saw, and learn of the others, in one transaction.

        Args:
            samples: By second.
            reading: What it tells of itself, in JSON's terms.
            alerts: That are new.

        Raises:
            sqlite3.Error: If it cannot be; nothing was written.
            OSError: Likewise.
        """
        now = self._wall()
        with self._transaction() as file:
            file.executemany(
                "INSERT INTO samples (at, writer, data) VALUES (?, ?, ?)",
                [(at, self._writer, sample.to_bytes()) for at, sample in samples],
            )
            totals = {name: sum(getattr(each, name) for _, each in samples) for name in TOTALS}
            file.executemany(
                "INSERT INTO numbers VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                totals.items(),
            )
            file.execute(
                "INSERT OR REPLACE INTO workers VALUES (?, ?, ?, ?, ?)",
                (self._gateway, self._worker, self._writer, now, json.dumps(reading or {})),
            )
            file.executemany(_ALERT, [{**each, "many": _MANY} for each in alerts])
            seen, learnt = self._learn(file, now)
        self.seen = seen
        return learnt

    def change(self, setting: Setting) -> list[Setting]:
        """
        Change something for all workers; all that is changed.

        Raises:
            sqlite3.Error: If it cannot be written; nothing is changed.
            OSError: Likewise.
        """
        document = {"on": setting.on, "value": setting.value, "until": setting.until}
        with self._transaction() as file:
            file.execute(
                "INSERT OR REPLACE INTO settings VALUES (?, ?, ?, ?)",
                (self._gateway, setting.name, self._wall(), json.dumps(document)),
            )
            return self._settings(file)

    def samples(self, since: float, until: float, step: int) -> dict[int, Sample]:
        """
        Samples of *step* seconds each, all workers together, by their starts.

        Raises:
            sqlite3.Error: If it cannot be read.
        """
        first, last = int(since) // step * step, int(until)
        size = level_for(step).seconds
        # What is not added up yet is in seconds.
        file = self._file
        # What another worker adds up meanwhile is not to be there twice.
        file.execute("BEGIN")
        try:
            after = 0 if size == 1 else rolled(file)
            rows = file.execute(
                "SELECT at, data FROM samples WHERE at BETWEEN ? AND ? AND id > ?",
                (first, last, after),
            ).fetchall()
            if size > 1:
                rows += file.execute(
                    "SELECT at, data FROM steps WHERE seconds = ? AND at BETWEEN ? AND ?",
                    (size, first, last),
                ).fetchall()
        finally:
            file.execute("ROLLBACK")
        return dict(sorted(summed(rows, step).items()))

    def tidy(self, *, by_age: bool = True) -> None:
        """
        Add seconds up to steps, drop what is too old, and make room.

        Any worker may, at any time: what one has added up no other one does.

        Args:
            by_age: Whether the clock can be trusted with what is old.

        Raises:
            sqlite3.Error: If it cannot be written.
            OSError: Likewise.
        """
        now = self._wall()
        with self._transaction() as file:
            roll(file)
            if by_age:
                drop_old(file, now, self._kept, self._gateway)
            drop_alerts(file)
        more = True
        while more and used(self._file) > self._size:
            # A little at a time: nobody else writes meanwhile.
            with self._transaction() as file:
                more = make_room(file)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Of the file that has the name now: someone may have set it aside, or deleted it."""
        if self._path is not None and _inode(self._path) != self.inode:
            self._file.close()
            self.seen = None
            self._file, self.inode = opened(self._path)
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield self._file
            self._file.execute("COMMIT")
        except BaseException:
            # A full disk may have ended it already.
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise

    def _learn(self, file: sqlite3.Connection, now: float) -> tuple[int, Exchange]:
        (newest,) = file.execute("SELECT coalesce(max(id), 0) FROM samples").fetchone()
        # A file that was begun anew counts from 1 again.
        if self.seen is None or self.seen > newest:
            rows = file.execute(
                "SELECT id, at, data FROM samples WHERE at BETWEEN ? AND ? AND writer != ?",
                (now - WINDOW, now, self._writer),
            ).fetchall()
        else:
            rows = file.execute(
                "SELECT id, at, data FROM samples WHERE id > ? AND writer != ?",
                (self.seen, self._writer),
            ).fetchall()
        samples = [(at, sample) for _, at, data in rows if (sample := read(data)) is not None]
        readings = file.execute(
            "SELECT document FROM workers WHERE gateway = ? AND writer != ? AND worker != ? "
            "AND abs(at - ?) < ?",
            (self._gateway, self._writer, self._worker, now, FRESH),
        )
        alerts = file.execute("SELECT at, kind, text FROM alerts ORDER BY id DESC LIMIT 50")
        totals = dict(file.execute("SELECT name, value FROM numbers"))
        return newest, Exchange(
            samples=samples,
            readings=[json.loads(document) for (document,) in readings],
            settings=self._settings(file),
            alerts=[{"at": at, "kind": kind, "text": text} for at, kind, text in alerts],
            totals={name: totals.get(name, 0) for name in TOTALS},
        )

    def _settings(self, file: sqlite3.Connection) -> list[Setting]:
        rows = file.execute(
            "SELECT name, document FROM settings WHERE gateway = ? ORDER BY name",
            (self._gateway,),
        )
        return [Setting(name=name, **json.loads(document)) for name, document in rows]


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return -1
