"""Events in a file: for processes of one machine."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any
from weakref import WeakSet

from tritonkit.client.experiments.backend import Backend
from tritonkit.client.experiments.batching import BatchingLog
from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import Answer, Event, Exposure, Outcome, wall_clock
from tritonkit.client.experiments.log import Loss, Page
from tritonkit.client.experiments.rows import decode_control, encode_control
from tritonkit.client.forks import fork_safe_lock
from tritonkit.errors import ConfigError, ServerUnavailable

__all__ = ["SqliteLog"]

LOCKED = 5.0
"""Seconds to wait for another process that writes."""

TRIMMED = 10_000
"""Events that are forgotten at a time: nobody else writes meanwhile."""

_VERSION = 3
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    once TEXT UNIQUE,
    experiment TEXT NOT NULL,
    version TEXT, arm TEXT, unit TEXT,
    answer TEXT NOT NULL,
    name TEXT, value REAL,
    seconds REAL, cost INTEGER, cache TEXT, degraded TEXT, error TEXT, rows INTEGER,
    at REAL NOT NULL,
    propensity REAL
);
CREATE INDEX IF NOT EXISTS events_of ON events (experiment, id);
CREATE TABLE IF NOT EXISTS losses (
    experiment TEXT, version TEXT, arm TEXT, kind TEXT, count INTEGER NOT NULL,
    PRIMARY KEY (experiment, version, arm, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS controls (experiment TEXT PRIMARY KEY, document TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS weights (
    experiment TEXT, version TEXT, document TEXT, at REAL, PRIMARY KEY (experiment, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, owner TEXT, until REAL) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_KINDS: dict[str, type[Event]] = {"exposure": Exposure, "answer": Answer, "outcome": Outcome}
_FIELDS: Mapping[Any, tuple[str, ...]] = {
    kind: tuple(kind.__dataclass_fields__) for kind in _KINDS.values()
}

_READ = ("id", "kind", "experiment", "version", "arm", "unit", "answer", "at", "name", "value",
         "seconds", "cost", "cache", "degraded", "error", "rows", "propensity")  # fmt: skip


def _insert(kind: str, fields: Sequence[str]) -> str:
    columns = ["kind", *fields]
    marks = [f"'{kind}'", *["?"] * len(fields)]
    if "experiment" not in fields:
        # Outcomes name none.
        columns, marks = [*columns, "experiment"], [*marks, "''"]
    if kind == "exposure":
        columns, marks = [*columns, "once"], [*marks, "?"]
    return f"INSERT OR IGNORE INTO events ({', '.join(columns)}) VALUES ({', '.join(marks)})"


_INSERTS = {kind: _insert(name, _FIELDS[kind]) for name, kind in _KINDS.items()}
_VALUES = {kind: attrgetter(*fields) for kind, fields in _FIELDS.items()}


class SqliteLog(BatchingLog):
    """
    Keeps events in an SQLite file that processes of one machine share.

    The table `events` may be read by anything that reads SQLite. What is written
    survives the end of any process; the last moments before the machine's own end may
    be missing, but nothing is damaged. Not for a network's file system, whose locks
    SQLite cannot trust.

    Args:
        path: Of the file; made, with its folder, when it is first used.
        budget: The most that a request waits for its exposure to be written. 50 ms:
            some hundred times what it takes while no other process holds the file.
        room: The most exposures that wait to be written, and the most other events.
        max_age: How old an event becomes; None keeps all. 90 days: longer than
            most experiments. An exposure that is forgotten happens again.

    Raises:
        ConfigError: If an argument is wrong.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        budget: str | float | timedelta = "50ms",
        room: int = 100_000,
        max_age: str | float | timedelta | None = "90d",
    ) -> None:
        if not os.fspath(path):
            raise ConfigError(f"path must name a file, but got {path!r}.")
        self.path = Path(path)
        # Wherever the process goes later, and its children.
        self._place = self.path.absolute()
        super().__init__(budget=budget, room=room, max_age=max_age)

    def __repr__(self) -> str:
        return f"SqliteLog({os.fspath(self.path)!r}, {self._options()})"

    def _backend(self) -> Callable[[], Backend]:
        return partial(_File, self._place)


class _File(Backend):
    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: sqlite3.Connection | None = None
        self._inode = 0
        self.using = fork_safe_lock()
        _files.add(self)

    def write(self, batch: str, events: Sequence[Event], losses: Mapping[Loss, int]) -> list[bool]:
        new: list[bool] = []
        with self._transaction() as file:
            for kind, run in groupby(events, type):
                insert, values = _INSERTS[kind], _VALUES[kind]
                if kind is Exposure:
                    for event in run:
                        assert isinstance(event, Exposure)
                        row = (*values(event), event.id)
                        new.append(file.execute(insert, row).rowcount == 1)
                else:
                    new += [True] * file.executemany(insert, map(values, run)).rowcount
            for loss, count in losses.items():
                file.execute(
                    "INSERT INTO losses VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET count = count + excluded.count",
                    (*loss, count),
                )
        return new

    def trim(self, before: float) -> None:
        oldest = f"SELECT id FROM events ORDER BY id LIMIT {TRIMMED}"
        while True:
            with self._transaction() as file:
                deleted = file.execute(
                    f"DELETE FROM events WHERE id IN ({oldest}) AND at < ?", (before,)
                ).rowcount
            if deleted < TRIMMED:
                return

    def read(self, experiment: str, after: str, limit: int) -> Page:
        if not re.fullmatch(r"[0-9]{0,18}", after, re.ASCII):
            raise ConfigError(f"after must be a cursor of this log, but got {after!r}.")
        rows: list[tuple[Any, ...]] = []
        last = 2**62
        with self._asked() as file:
            # Each by its own index, in order; of both the first.
            for name in dict.fromkeys((experiment, "")):
                cursor = file.cursor()
                cursor.row_factory = None
                rows += cursor.execute(
                    f"SELECT {', '.join(_READ)} FROM events "
                    "WHERE experiment = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
                    (name, int(after or 0), last, limit),
                )
                if len(rows) == limit:
                    last = rows[-1][0]
        rows = sorted(rows, key=itemgetter(0))[:limit]
        return Page([_event(*row) for row in rows], str(rows[-1][0]) if rows else after)

    def experiments(self) -> list[str]:
        with self._asked() as file:
            # One step in the index for each name, however many events it has.
            rows = file.execute(
                "WITH RECURSIVE steps(step) AS (SELECT min(experiment) FROM events UNION ALL "
                "SELECT (SELECT min(experiment) FROM events WHERE experiment > step) FROM steps "
                "WHERE step IS NOT NULL) SELECT step FROM steps WHERE step != '' "
                "UNION SELECT experiment FROM controls ORDER BY 1"
            )
            return [row[0] for row in rows]

    def losses(self) -> dict[Loss, int]:
        with self._asked() as file:
            rows = file.execute("SELECT experiment, version, arm, kind, count FROM losses")
            return {Loss(*row[:4]): row[4] for row in rows}

    def control(self, experiment: str) -> Control:
        with self._asked() as file:
            return _control(file, experiment)

    def steer(self, experiment: str, control: Control, replacing: Control | None) -> bool:
        with self._transaction() as file:
            if replacing is not None and replacing != _control(file, experiment):
                return False
            file.execute(
                "INSERT OR REPLACE INTO controls VALUES (?, ?)",
                (experiment, encode_control(control)),
            )
            return True

    def describe(self, experiment: str, version: str, weights: Mapping[str, float]) -> None:
        with self._transaction() as file:
            file.execute(
                "INSERT OR IGNORE INTO weights VALUES (?, ?, ?, ?)",
                (experiment, version, json.dumps(dict(weights)), wall_clock()),
            )

    def weights(self, experiment: str) -> dict[str, dict[str, float]]:
        with self._asked() as file:
            rows = file.execute(
                "SELECT version, document FROM weights WHERE experiment = ? ORDER BY at",
                (experiment,),
            )
            return {row[0]: json.loads(row[1]) for row in rows}

    def lease(self, name: str, owner: str, seconds: float) -> bool:
        now = wall_clock()
        with self._transaction() as file:
            changed = file.execute(
                "INSERT INTO leases VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
                "owner = excluded.owner, until = excluded.until "
                "WHERE owner = excluded.owner OR until <= ?",
                (name, owner, now + seconds, now),
            ).rowcount
        return changed == 1

    def close(self) -> None:
        with self.using:
            self.disconnect()

    def disconnect(self) -> None:
        """The same for one who is the user."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @contextmanager
    def _asked(self) -> Iterator[sqlite3.Connection]:
        with self.using:
            try:
                yield self._open()
            except (sqlite3.Error, OSError) as error:
                self.disconnect()
                raise ServerUnavailable(f"{self._path} cannot be used: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._asked() as file:
            file.execute("BEGIN IMMEDIATE")
            try:
                yield file
                file.execute("COMMIT")
            except BaseException:
                if file.in_transaction:
                    file.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        if self._opened is not None:
            if self._in_place():
                return self._opened
            # What is written to a file that was removed, nobody ever reads.
            self.disconnect()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Threads take turns: those that read hold a lock meanwhile.
        file = sqlite3.connect(
            self._path, timeout=LOCKED, isolation_level=None, check_same_thread=False
        )
        try:
            file.row_factory = sqlite3.Row
            # Readers and the writer do not wait for each other.
            _write_ahead(file)
            # Each commit is with the operating system; the disk has it a little later.
            file.execute("PRAGMA synchronous = NORMAL")
            version = file.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise sqlite3.DatabaseError(f"its version {version} is newer than this tritonkit")
            if 0 < version < _VERSION:
                _add_column(file)
            if version < _VERSION:
                file.executescript(_SCHEMA)
        except BaseException:
            file.close()
            raise
        self._opened, self._inode = file, self._path.stat().st_ino
        return file

    def _in_place(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False


def _event(
    id: int,
    kind: str,
    experiment: str,
    version: str,
    arm: str,
    unit: str,
    answer: str,
    at: float,
    *rest: Any,
) -> Event:
    # Written out, since a report reads millions of them.
    if kind == "answer":
        _, _, seconds, cost, cache, degraded, error, rows, propensity = rest
        return Answer(
            answer=answer,
            experiment=experiment,
            version=version,
            arm=arm,
            unit=unit,
            seconds=seconds,
            cost=cost,
            cache=cache,
            degraded=degraded,
            error=error,
            rows=rows,
            at=at,
            propensity=propensity,
        )
    if kind == "outcome":
        return Outcome(answer=answer, name=rest[0], value=rest[1], at=at)
    return Exposure(
        experiment=experiment,
        version=version,
        arm=arm,
        unit=unit,
        answer=answer,
        at=at,
        propensity=rest[-1],
    )


def _add_column(file: sqlite3.Connection) -> None:
    """What the versions before this one lack, unless another process did it meanwhile."""
    file.execute("BEGIN IMMEDIATE")
    columns = {row["name"] for row in file.execute("PRAGMA table_info(events)")}
    if "propensity" not in columns:
        file.execute("ALTER TABLE events ADD COLUMN propensity REAL")
    file.execute("COMMIT")


def _control(file: sqlite3.Connection, experiment: str) -> Control:
    row = file.execute(
        "SELECT document FROM controls WHERE experiment = ?", (experiment,)
    ).fetchone()
    return Control() if row is None else decode_control(row[0])


def _write_ahead(file: sqlite3.Connection) -> None:
    """Where another opens the file for the first time as well, SQLite does not wait by itself."""
    end = time.monotonic() + LOCKED
    while True:
        try:
            file.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
        time.sleep(0.01)


_files: WeakSet[_File] = WeakSet()
_held: list[_File] = []


# SQLite knows of its locks by process: a child would take its parent's for its own, and
# the parent would find itself the last user of a file that the child is using. So none is
# open while a process forks; each opens its own when it goes on.
def _before_fork() -> None:
    for file in list(_files):
        file.using.acquire()
        file.disconnect()
        _held.append(file)


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().using.release()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_held.clear
)
