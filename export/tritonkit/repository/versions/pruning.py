"""Version folders that nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.change import remove_folders
from tritonkit.repository.versions.folders import folder_size
from tritonkit.repository.versions.state import Models, ModelState
from tritonkit.units import format_size

__all__ = ["Pruning", "plan_pruning", "remove"]


@dataclass(frozen=True, slots=True)
class Pruning:
    """
    What goes of one model, and why the rest stays.

    Args:
        state: The model as it stands.
        removed: The versions that go, ascending.
        kept: Why each other version stays, by its number.
    """

    state: ModelState
    removed: tuple[int, ...]
    kept: tuple[tuple[int, str], ...]

    def lines(self) -> Iterator[str]:
        """What is removed and what is kept, in sentences."""
        for version in self.removed:
            size = format_size(folder_size(self.state.directory.version_path(version)))
            yield f"{self.state.name}/{version} is removed: {size}."
        for version, reason in self.kept:
            yield f"{self.state.name}/{version} stays: {reason}."


def plan_pruning(models: Models, names: Sequence[str], *, keep: int) -> tuple[Pruning, ...]:
    """
    The version folders that are not needed.

    One stays that is served, or that an ensemble asks for by number, now or in what it
    served before; *keep* of those that a rollback would bring back, the last first, and
    then the newest; and those that are newer than what is served and were never served,
    since they are yet to be promoted.

    Args:
        models: The repository as it stands.
        names: Models; every one where there is none.
        keep: How many versions stay beside those.

    Raises:
        RepositoryError: If a model is not there, or any of the repository cannot be read:
            it may be an ensemble that asks for a version.
    """
    states = [models.get(name) for name in dict.fromkeys(names or models.states)]
    if models.errors:
        name, error = next(iter(models.errors.items()))
        raise RepositoryError(
            f"nothing is removed while model {name!r} cannot be read, since it may be an ensemble "
            f"that needs a version: {error}"
        )
    asked = _asked_for(models)
    return tuple(_pruning(state, asked.get(state.name, {}), keep) for state in states)


def remove(place: Path, prunings: Sequence[Pruning]) -> None:
    """
    Do it, under the lock of the repository at *place*.

    Raises:
        RepositoryError: If a model could not give its folder.
        OSError: If the disk refuses; what is gone then was to go.
    """
    # Nothing else of a model is touched, so that a polling Triton need not load it anew. What
    # is known of the versions that go is left out by whoever next writes the record.
    folders = [
        f"{pruning.state.name}/{version}" for pruning in prunings for version in pruning.removed
    ]
    if folders:
        remove_folders(place, folders)


def _asked_for(models: Models) -> dict[str, dict[int, str]]:
    """By model and version, why ensembles need those that they ask for by number."""
    asked: dict[str, dict[int, str]] = {}
    for state in models.states.values():
        for step in state.steps_before():
            reason = f"ensemble {state.name!r} called it before"
            asked.setdefault(step.model_name, {}).setdefault(step.model_version, reason)
    for state in models.states.values():
        for step in state.config.ensemble_scheduling.step:
            reason = f"ensemble {state.name!r} calls it"
            asked.setdefault(step.model_name, {})[step.model_version] = reason
    return asked


def _pruning(state: ModelState, asked: Mapping[int, str], keep: int) -> Pruning:
    kept = dict(_needed(state, asked))
    spare = [version for version in _by_need(state) if version not in kept]
    for version in spare[:keep]:
        kept[version] = "a rollback may bring it back"
    if not state.served:
        # Whoever looks at it must first say what it is to serve.
        kept.update((version, "the model serves nothing at present") for version in state.versions)
    removed = tuple(version for version in state.versions if version not in kept)
    return Pruning(state, removed, tuple(sorted(kept.items())))


def _needed(state: ModelState, asked: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    newest = max(state.served, default=0)
    for version in state.versions:
        if version > newest and state.record.last_of(version) is None:
            yield version, "it is newer than what is served, and was not served yet"
        if version in asked:
            yield version, asked[version]
    for version in state.served:
        yield version, "it is served"


def _by_need(state: ModelState) -> list[int]:
    """The versions, the first to be brought back by a rollback first, then the newest."""
    before = [
        version
        for served in reversed(state.record.of(state.versions).states)
        if not served.undone
        for version in reversed(served.versions)
    ]
    return list(dict.fromkeys([*before, *reversed(state.versions)]))
