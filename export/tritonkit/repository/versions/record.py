"""
What a model served before: a file beside its config.pbtxt, which Triton does not read.

A configuration belongs to the versions that it was served with: it states the digest of
their content, whether their rows may be kept, their instances. So each state that was
left is kept whole, with its text.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tritonkit.errors import RepositoryError
from tritonkit.repository.regular import read_regular

__all__ = ["RECORD_NAME", "Record", "Served", "read_record"]

RECORD_NAME = "served.json"
"""The file in a model's directory. No beginning of "config.pbtxt": by such a name Triton
would miss changes."""

_MOST = 100
"""States that are remembered."""


@dataclass(frozen=True, slots=True)
class Served:
    """
    What a model served until it served something else.

    Args:
        versions: The versions that were loaded, ascending; the last answered where none
            was asked for.
        config: The text of its config.pbtxt.
        until: When it was left, UTC, ISO 8601.
        undone: Whether it was left by a rollback, which leads back over it.
    """

    versions: tuple[int, ...]
    config: str
    until: str
    undone: bool = False

    @property
    def answering(self) -> int:
        """The version that answered where none was asked for."""
        return self.versions[-1]


@dataclass(frozen=True, slots=True)
class Record:
    """
    What a model served before what it serves now.

    Args:
        states: Oldest first.
    """

    states: tuple[Served, ...] = ()

    def left(self, versions: tuple[int, ...], config: str, *, undone: bool = False) -> Record:
        """With the state that is left now; unchanged where nothing was served."""
        if not versions:
            return self
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Record((*self.states, Served(versions, config, now, undone))[-_MOST:])

    def back(self, to: int | None = None) -> Served | None:
        """What a rollback brings back: the last state, or the last that served version *to*."""
        for state in reversed(self.states):
            if not state.undone and to in (None, state.answering):
                return state
        return None

    def without(self, brought_back: Served) -> Record:
        """Without the state that is served again; those after it are undone."""
        index = max(i for i, state in enumerate(self.states) if state is brought_back)
        after = tuple(replace(state, undone=True) for state in self.states[index + 1 :])
        return Record((*self.states[:index], *after))

    def last_of(self, version: int) -> Served | None:
        """The last state in which *version* answered; else the last that served it."""
        serving = [state for state in self.states if version in state.versions]
        answering = [state for state in serving if state.answering == version]
        found = answering or serving
        return found[-1] if found else None

    def of(self, versions: Collection[int]) -> Record:
        """What can be brought back where only *versions* are there."""
        return Record(tuple(s for s in self.states if set(s.versions) <= set(versions)))

    def to_json(self) -> str:
        """The text of the file."""
        states = [asdict(state) for state in self.states]
        return json.dumps({"format": 1, "served_before": states}, indent=1) + "\n"


def read_record(directory: Path) -> Record:
    """
    The record in the model's *directory*; an empty one where there is none.

    Raises:
        RepositoryError: If the file cannot be read, or is none of this format.
    """
    file = directory / RECORD_NAME
    try:
        values = json.loads(read_regular(file))
        if values["format"] != 1:
            raise ValueError(f"format {values['format']}")
        return Record(tuple(_states(values["served_before"])))
    except FileNotFoundError:
        return Record()
    except OSError as error:
        raise RepositoryError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RepositoryError(
            f"{file} is no record of what was served ({error or type(error).__name__}); "
            "remove it to go on without what was served before."
        ) from error


def _states(values: Iterable[dict[str, Any]]) -> Iterable[Served]:
    for value in values:
        versions = tuple(sorted(value["versions"]))
        config, until, undone = value["config"], value["until"], value["undone"]
        if not versions or not all(type(version) is int for version in versions):
            raise ValueError(f"versions {value['versions']!r}")
        if not isinstance(config, str) or not isinstance(until, str):
            raise TypeError("a text is none")
        yield Served(versions, config, until, bool(undone))
