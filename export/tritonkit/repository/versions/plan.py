"""What would be done to a repository, to be told or done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from tritonkit.repository.change import write_files
from tritonkit.repository.config import CONFIG_NAME
from tritonkit.repository.versions.record import RECORD_NAME, Record
from tritonkit.repository.versions.state import ModelState

__all__ = ["Change", "Plan"]


@dataclass(frozen=True, slots=True)
class Change:
    """
    What becomes of one model.

    Args:
        state: The model as it stands.
        served: The versions that it will serve, ascending.
        text: Of its config.pbtxt to be.
        record: What it served before, to be.
        notes: What else is to be known of it, in sentences without a full stop.
    """

    state: ModelState
    served: tuple[int, ...]
    text: str
    record: Record
    notes: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether anything is written."""
        return self.text != self.state.text or self.record != self.state.record

    def line(self) -> str:
        """Which versions are served, before and after."""
        before, after = self.state.served, self.served
        if before == after:
            same = f"version {_listed(after)}, as before" if after else "no version, as before"
            return f"{self.state.name} serves {same}"
        return (
            f"{self.state.name} serves version {_listed(after)} instead of {_listed(before)}"
            if before
            else f"{self.state.name} serves version {_listed(after)}"
        )

    def diff(self) -> str:
        """What changes in its config.pbtxt; empty where nothing does."""
        name = f"{self.state.name}/{CONFIG_NAME}"
        lines = (self.state.text.splitlines(), self.text.splitlines())
        return "\n".join(unified_diff(*lines, name, name, lineterm=""))


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What becomes of several models, all at once.

    Args:
        changes: In the order in which they are to appear: parts before their ensembles.
        notes: What else is to be known.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """What is done, in sentences."""
        for change in self.changes:
            yield f"{change.line()}."
            yield from (f"  {note}." for note in change.notes)
        yield from (f"{note}." for note in self.notes)

    def apply(self, place: Path) -> None:
        """
        Do it, under the lock of the repository at *place*.

        Raises:
            RepositoryError: If a model could not take its files.
            OSError: If the disk refuses; see `write_files`.
        """
        files = {}
        for change in self.changes:
            name = change.state.name
            if change.record != change.state.record:
                files[f"{name}/{RECORD_NAME}"] = change.record.to_json().encode()
            if change.text != change.state.text:
                files[f"{name}/{CONFIG_NAME}"] = change.text.encode("utf-8", "surrogateescape")
        if files:
            write_files(place, files)


def _listed(versions: tuple[int, ...]) -> str:
    return " and ".join(map(str, versions))
