"""Seconds added up to steps, and what is too old or too much dropped, in the history's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.gateway.live.levels import LEVELS
from tritonkit.gateway.live.sample import Sample

__all__ = ["drop_alerts", "drop_old", "make_room", "read", "roll", "rolled", "summed", "used"]

_MOST_ALERTS = 200

_DROPPED = 200
"""Rows that make room at a time."""

_OLD = 86_400.0
"""Seconds after which what is left of other gateways is dropped."""


def rolled(file: sqlite3.Connection) -> int:
    """Number of the last second that is added up."""
    row = file.execute("SELECT value FROM numbers WHERE name = 'rolled'").fetchone()
    return 0 if row is None else int(row[0])


def roll(file: sqlite3.Connection) -> None:
    """Add what is new to the steps that it belongs to; within a transaction."""
    rows = file.execute(
        "SELECT at, data, id FROM samples WHERE id > ? ORDER BY id", (rolled(file),)
    ).fetchall()
    if not rows:
        return
    for level in LEVELS[1:]:
        seconds = level.seconds
        for at, sample in summed(rows, seconds).items():
            before = file.execute(
                "SELECT data FROM steps WHERE seconds = ? AND at = ?", (seconds, at)
            ).fetchone()
            known = None if before is None else read(before[0])
            if known is not None:
                sample.merge(known)
            file.execute(
                "INSERT OR REPLACE INTO steps VALUES (?, ?, ?)", (seconds, at, sample.to_bytes())
            )
    file.execute("INSERT OR REPLACE INTO numbers VALUES ('rolled', ?)", (rows[-1][2],))


def drop_old(file: sqlite3.Connection, now: float, kept: Mapping[int, float], gateway: str) -> None:
    """
    Drop what is older than it becomes; within a transaction.

    Args:
        file: Of the history.
        now: Seconds since 1970.
        kept: Seconds for which steps are kept, by their lengths.
        gateway: Whose readings and settings stay.
    """
    file.execute("DELETE FROM samples WHERE at < ?", (now - kept[LEVELS[0].seconds],))
    for level in LEVELS[1:]:
        file.execute(
            "DELETE FROM steps WHERE seconds = ? AND at < ?",
            (level.seconds, now - kept[level.seconds]),
        )
    for table in ("workers", "settings"):
        file.execute(f"DELETE FROM {table} WHERE gateway != ? AND at < ?", (gateway, now - _OLD))


def drop_alerts(file: sqlite3.Connection) -> None:
    """Drop alerts that nobody is shown any more; within a transaction."""
    file.execute("DELETE FROM alerts WHERE id <= (SELECT max(id) FROM alerts) - ?", (_MOST_ALERTS,))


def used(file: sqlite3.Connection) -> int:
    """Bytes that are in use. The file keeps what was, for what comes."""
    pages, free, size = (
        file.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def make_room(file: sqlite3.Connection) -> bool:
    """Drop some of what is oldest, seconds first; whether there was any. In a transaction."""
    dropped = file.execute(
        "DELETE FROM samples WHERE id IN "
        "(SELECT id FROM samples WHERE id <= ? ORDER BY id LIMIT ?)",
        (rolled(file), _DROPPED),
    ).rowcount
    if not dropped:
        dropped = file.execute(
            "DELETE FROM steps WHERE (seconds, at) IN "
            "(SELECT seconds, at FROM steps ORDER BY at LIMIT ?)",
            (_DROPPED,),
        ).rowcount
    return dropped > 0


def summed(rows: Sequence[tuple[Any, ...]], step: int) -> dict[int, Sample]:
    """Samples of rows that begin with a second and its bytes, added up to steps by their starts."""
    found: dict[int, Sample] = {}
    for at, data, *_ in rows:
        sample = read(data)
        if sample is not None:
            found.setdefault(at // step * step, Sample()).merge(sample)
    return found


def read(data: bytes) -> Sample | None:
    """One that cannot be read, such as another version's, is passed over."""
    try:
        return Sample.from_bytes(data)
    except ConfigError:
        return None
