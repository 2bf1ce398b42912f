"""Opening the file of the history; one that is broken is set aside."""

from __future__ import annotations

import fcntl
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from tritonkit.errors import ConfigError

__all__ = ["check_damage", "opened"]

_log = logging.getLogger(__name__)

LOCKED = 2.0
"""Seconds to wait for another worker that writes."""

_PATIENCE = 10.0
"""Seconds to wait for other workers that look at the file: a large one takes some tenths each."""

APPLICATION = 0x746B6C76
"""By which SQLite files of ours are known: "tklv"."""

_VERSION = 1
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS samples (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, writer TEXT NOT NULL, data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS samples_at ON samples (at);
CREATE TABLE IF NOT EXISTS steps (
    seconds INTEGER, at INTEGER, data BLOB NOT NULL, PRIMARY KEY (seconds, at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS workers (
    gateway TEXT, worker INTEGER, writer TEXT NOT NULL, at REAL NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (gateway, worker)
);
CREATE TABLE IF NOT EXISTS settings (
    gateway TEXT, name TEXT, at REAL NOT NULL, document TEXT NOT NULL, PRIMARY KEY (gateway, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL
);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""


def opened(path: Path | None) -> tuple[sqlite3.Connection, int]:
    """
    The file and its inode; made, with its folder, where there is none.

    A file that is damaged, or of another version, is set aside with a warning and another
    one begun. One worker at a time looks.

    Args:
        path: None for one in memory.

    Raises:
        ConfigError: If it is the file of another program.
        OSError: If it cannot be made.
        sqlite3.Error: Likewise.
    """
    if path is None:
        return _connected(":memory:"), -1
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        # Names of tenants are nobody else's business.
        path.touch(mode=0o600)
        try:
            file = _connected(path)
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise
            file = _anew(path, str(error))
        return file, path.stat().st_ino


def check_damage(path: Path, inode: int, error: sqlite3.Error) -> None:
    """Set the file aside if *error* says that it is damaged, unless another worker has."""
    if not _damaged(error):
        return
    with _alone(path):
        if path.exists() and path.stat().st_ino == inode:
            _anew(path, str(error)).close()


def _anew(path: Path, why: str) -> sqlite3.Connection:
    """Begin another file, and give this one another name; one that had it before is lost."""
    broken = path.with_name(f"{path.name}.broken")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(f"{path.name}{suffix}").replace(f"{broken}{suffix}")
    _log.warning("%s is set aside as %s, and another one begun: %s", path, broken.name, why)
    path.touch(mode=0o600)
    file = _connected(path)
    said = f"the file of the history was damaged, and is set aside as {broken.name}"
    file.execute(
        "INSERT INTO alerts (at, kind, text) VALUES (strftime('%s'), 'history', ?)", (said,)
    )
    return file


def _connected(path: Path | str) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=LOCKED, isolation_level=None, check_same_thread=False)
    try:
        (application,) = file.execute("PRAGMA application_id").fetchone()
        (version,) = file.execute("PRAGMA user_version").fetchone()
        (tables,) = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION:
            raise ConfigError(
                f"{path} is an SQLite file of another program; name another one for the history."
            )
        if tables and version != _VERSION:
            raise sqlite3.DatabaseError(f"{_OTHER} {version}, and this is {_VERSION}")
        (said,) = file.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise sqlite3.DatabaseError(f"{_MALFORMED}: {said}")
        file.execute("PRAGMA journal_mode = WAL")
        # What is written survives the end of any process; the machine's own end may cost the
        # last seconds, and damages nothing.
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute("PRAGMA journal_size_limit = 8000000")
        file.executescript(_SCHEMA)
    except BaseException:
        file.close()
        raise
    return file


_OTHER = "it is of version"
_MALFORMED = "it is malformed"


def _damaged(error: sqlite3.Error) -> bool:
    """Whether it says that the file is none, rather than that it cannot be used now."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return str(error).startswith((_OTHER, _MALFORMED))
    return (code & 0xFF) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        until = monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() >= until:
                    raise
                sleep(0.02)
        yield
