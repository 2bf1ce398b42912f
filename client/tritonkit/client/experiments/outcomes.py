"""What came of answers, recorded from anywhere."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from tritonkit.client import background
from tritonkit.client.experiments.events import Outcome, wall_clock
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.experiments.redis import RedisLog
from tritonkit.client.experiments.sqlite import SqliteLog
from tritonkit.errors import ConfigError

__all__ = ["Outcomes", "log_at", "record"]

_REDIS = ("redis://", "rediss://", "unix://")


def log_at(place: EventLog | str | os.PathLike[str]) -> EventLog:
    """
    The log at a place.

    Args:
        place: A log, the URL of a Redis server, or the path of an SQLite file.

    Raises:
        ConfigError: If the URL is wrong.
    """
    if isinstance(place, EventLog):
        return place
    if isinstance(place, str) and place.startswith(_REDIS):
        return RedisLog(place)
    if isinstance(place, str) and "://" in place:
        raise ConfigError(
            f"experiments must be at a path, or at redis://, rediss:// or unix://, not {place!r}."
        )
    return SqliteLog(place)


def record(log: EventLog, answer: str, name: str, value: float, at: float | None) -> None:
    """Put an outcome into a log; see `Outcomes.record`."""
    if answer == "":
        return
    time = wall_clock() if at is None else at
    log.add((Outcome(answer=answer, name=name, value=value, at=time),))


class Outcomes:
    """
    Records what came of answers, without a client: in the process where it is known.

        with Outcomes("redis://localhost:6379") as outcomes:
            outcomes.record(answer, "conversion", 1.0)

    Works from any thread. Answers that are not known yet, or never will be, are taken: they
    are joined when the experiment is read.

    Args:
        place: A log, the URL of a Redis server, or the path of an SQLite file.

    Raises:
        ConfigError: If the URL is wrong.
    """

    def __init__(self, place: EventLog | str | os.PathLike[str]) -> None:
        self.log = log_at(place)

    def __repr__(self) -> str:
        return f"Outcomes({self.log!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def record(self, answer: str, name: str, value: float, *, at: float | None = None) -> None:
        """
        Say what came of an answer. Never waits; `log.counters` has what was lost.

        Args:
            answer: Its id: `response.trace.answer`. Of an answer that no experiment has
                part in it is empty, and nothing is recorded.
            name: Of the metric, such as "conversion".
            value: Of the metric, such as 1.0.
            at: When it came, in seconds since 1970; now by default.

        Raises:
            ConfigError: If the id can be none, or the value is not finite.
        """
        record(self.log, answer, name, value, at)

    def flush(self) -> None:
        """
        Wait until all that was recorded is written.

        Raises:
            ServerUnavailable: If it cannot be.
        """
        background.run(self.log.flush())

    def close(self) -> None:
        """Write what waits, and disconnect."""
        background.run(self.log.aclose())
