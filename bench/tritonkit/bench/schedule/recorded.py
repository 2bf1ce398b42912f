"""Arrivals as they once came."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration

__all__ = ["Recorded"]

_CHUNK = 10_000
_LATEST = 1e8
"""Seconds, three years; what comes later is no trace."""

_SECOND = 1_000_000_000
_LATEST_FIRST = 3600.0
"""Seconds; a first arrival after that is a time of day that was not subtracted."""


class Recorded(Arrivals):
    """
    The arrivals of a trace.

    Args:
        offsets: Seconds from the start of the load, at least one; sorted here, since
            a log may have them in the order of the ends.
        repeat: Whether it starts anew after its end, a mean gap after the last.
        source: Where it comes from, for people.
    """

    def __init__(self, offsets: ArrayLike, *, repeat: bool = False, source: str = "") -> None:
        seconds = np.sort(np.asarray(offsets, dtype=np.float64).reshape(-1))
        place = f" in {source}" if source else ""
        if not len(seconds):
            raise ConfigError(f"there are no arrivals{place}.")
        if seconds[0] > _LATEST_FIRST:
            raise ConfigError(
                f"arrivals are counted from the start of the load, but the first{place} "
                f"comes after {seconds[0]:g} s; subtract the time at which the trace begins."
            )
        # What is no number is sorted to the end.
        for wrong, which in ((seconds[0], "least"), (seconds[-1], "last")):
            if not 0 <= wrong <= _LATEST:
                raise ConfigError(
                    f"arrivals must be 0 to {_LATEST:.0f} seconds from the start, "
                    f"but the {which}{place} is {wrong:g}."
                )
        if repeat and seconds[-1] == seconds[0]:
            raise ConfigError(
                f"a trace that repeats needs arrivals at two instants at least, but all{place} "
                f"come at {seconds[0]:g} s."
            )
        self._ns: NDArray[np.int64] = np.rint(seconds * 1e9).astype(np.int64)
        self._repeat = repeat
        self._source = source

    @classmethod
    def read(cls, path: str | Path, *, repeat: bool = False) -> Recorded:
        """
        Read a trace.

        Args:
            path: A text with an offset a line, in seconds ("0.25") or with a unit
                ("250ms"); or JSON lines, or one JSON document with a list `data` as
                perf_analyzer takes it, whose entries have a `timestamp` in milliseconds.
            repeat: Whether it starts anew after its end.

        Raises:
            ConfigError: If the file cannot be read; with the line that is wrong.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the trace {str(path)!r}: {error}.") from error
        return cls(_read(text, str(path)), repeat=repeat, source=Path(path).name)

    @property
    def rate(self) -> float:
        """
        Arrivals a second from the start to a mean gap after the last one.

        Where all come at the start, as if that took a second.
        """
        return len(self._ns) / ((self._period or 10**9) / 1e9)

    @property
    def end_ns(self) -> int | None:
        """A mean gap after the last arrival, or a second where all come at one instant."""
        if self._repeat:
            return None
        return self._period if self._period > self._ns[-1] else int(self._ns[-1]) + _SECOND

    @property
    def _period(self) -> int:
        first, last = int(self._ns[0]), int(self._ns[-1])
        gap = (last - first) / (len(self._ns) - 1) if len(self._ns) > 1 else 0.0
        return last + round(gap)

    def offsets(self, seed: int) -> Iterator[NDArray[np.int64]]:
        """Those of the trace, whatever the seed."""
        start = 0
        while True:
            for first in range(0, len(self._ns), _CHUNK):
                yield self._ns[first : first + _CHUNK] + start
            if not self._repeat:
                return
            start += self._period

    def describe(self) -> Mapping[str, Any]:
        """The settings in JSON's types; the digest tells equal traces."""
        return {
            "kind": "recorded",
            "rate": self.rate,
            "source": self._source,
            "arrivals": len(self._ns),
            "repeat": self._repeat,
            "sha256": hashlib.sha256(self._ns.astype("<i8").tobytes()).hexdigest(),
        }

    def __str__(self) -> str:
        name = f" of {self._source}" if self._source else ""
        again = ", repeated" if self._repeat else ""
        return f"{len(self._ns)} recorded arrivals{name}{again}"


def _read(text: str, path: str) -> list[float]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        return [
            _timestamp(entry, f"{path}, entry {number} of data")
            for number, entry in enumerate(document["data"], start=1)
        ]
    offsets = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        place = f"{path}:{number}"
        if line.startswith("{"):
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise ConfigError(f"{place}: not JSON: {error}.") from error
            offsets.append(_timestamp(entry, place))
        else:
            offsets.append(_seconds(line, place))
    return offsets


def _seconds(text: str, place: str) -> float:
    try:
        return float(text)
    except ValueError:
        return parse_duration(text, name=f"{place}: an arrival")


def _timestamp(entry: Any, place: str) -> float:
    """Of an entry as perf_analyzer has it: milliseconds, as a number or a list of one."""
    value = entry.get("timestamp") if isinstance(entry, Mapping) else None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{place}: timestamp must be milliseconds, but got {value!r}.")
    return value / 1e3
