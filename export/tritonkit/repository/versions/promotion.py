"""Another version served: one that is chosen, or the one that was served before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME, ModelConfig
from tritonkit.repository.text.read import parse_config
from tritonkit.repository.versions.calls import check_calls
from tritonkit.repository.versions.content import restated, restated_ensemble, signed_like
from tritonkit.repository.versions.edit import serving
from tritonkit.repository.versions.files import check_version
from tritonkit.repository.versions.plan import Change, Plan
from tritonkit.repository.versions.policy import loaded_versions
from tritonkit.repository.versions.record import Served
from tritonkit.repository.versions.state import Models, ModelState

__all__ = ["plan_promotion", "plan_rollback"]

_EXPORT = "tritonkit.export"


def plan_promotion(models: Models, name: str, version: int, *, alone: bool = False) -> Plan:
    """
    What it takes that *version* of the model *name* answers.

    Args:
        models: The repository as it stands.
        name: The model. The parts of an ensemble that the same export wrote go with it.
        version: One whose folder is there.
        alone: Whether the parts stay as they are.

    Raises:
        RepositoryError: If the model or the version is not there, cannot be served, or an
            ensemble asks for a version that would not be loaded any more.
    """
    change = _promoted(models, name, version)
    parts = () if alone else tuple(_parts(models, change, version))
    return _planned(models, [*parts, change])


def plan_rollback(models: Models, name: str, *, to: int | None = None, alone: bool = False) -> Plan:
    """
    What it takes that the model *name* serves what it served before.

    Args:
        models: The repository as it stands.
        name: The model. The parts of an ensemble that the same export wrote go with it.
        to: The version that is to answer again; that of the last state by default.
        alone: Whether the parts stay as they are.

    Raises:
        RepositoryError: If the model is not there, or is not known to have served anything
            else, or *to*, before; or as `plan_promotion`.
    """
    state = models.get(name)
    target = _brought_back(state, to)
    change = _rolled_back(models, state, target)
    parts = () if alone else tuple(_parts(models, change, target.answering))
    return _planned(models, [*parts, change])


def _promoted(models: Models, name: str, version: int) -> Change:
    state = models.get(name)
    check_version(state, version)
    versions = _with_pinned(models, state, version)
    base, own, notes = _text_for(state, version)
    text, changed = restated(
        serving(base, versions), state.directory.version_path(version), own=own
    )
    record = state.record.of(state.versions)
    if state.served != versions:
        record = record.left(state.served, state.text)
    return Change(state, versions, signed_like(text, base), record, (*notes, *changed))


def _text_for(state: ModelState, version: int) -> tuple[str, bool, list[str]]:
    """The configuration that belongs to *version*, whether it answered under it, and a note."""
    if state.served and state.served[-1] == version:
        return state.text, True, []
    last = state.record.last_of(version)
    if last is None:
        note = f"{CONFIG_NAME} stays otherwise: version {version} is not known to have been served"
        return state.text, False, [note]
    note = f"{CONFIG_NAME} is the one that version {version} was served with until {last.until}"
    return last.config, last.answering == version, [note]


def _brought_back(state: ModelState, to: int | None) -> Served:
    target = state.record.of(state.versions).back(to)
    if target is not None:
        return target
    known = state.record.back(to)
    if known is not None:
        raise RepositoryError(
            f"model {state.name!r} served version {known.answering} before, until {known.until}, "
            f"but its folder is gone; there are versions {_listed(state.versions)}."
        )
    what = "anything else" if to is None else f"version {to}"
    raise RepositoryError(
        f"model {state.name!r} is not known to have served {what} before; "
        f"promote one of its versions: {_listed(state.versions)}."
    )


def _rolled_back(models: Models, state: ModelState, target: Served) -> Change:
    check_version(state, target.answering)
    _with_pinned(models, state, target.answering, loaded=target.versions)
    text = target.config
    # A version that came meanwhile would be served too under "latest" and "all".
    if loaded_versions(_parsed(text), state.directory) != target.versions:
        text = serving(text, target.versions)
    folder = state.directory.version_path(target.answering)
    text, changed = restated(text, folder, own=True)
    record = state.record.of(state.versions).without(target)
    record = record.left(state.served, state.text, undone=True)
    note = f"{CONFIG_NAME} is the one that it was served with until {target.until}"
    return Change(
        state, target.versions, signed_like(text, target.config), record, (note, *changed)
    )


def _with_pinned(
    models: Models, state: ModelState, version: int, *, loaded: tuple[int, ...] = ()
) -> tuple[int, ...]:
    """
    *version*, and the older ones that ensembles ask for by number.

    Raises:
        RepositoryError: If an ensemble asks for one that cannot stay loaded beside it.
    """
    pinned = {
        number: ensemble
        for number, ensemble in models.pinned(state.name).items()
        if number in state.served
    }
    for number, ensemble in pinned.items():
        if number > version or (loaded and number not in loaded):
            raise RepositoryError(
                f"ensemble {ensemble!r} calls version {number} of {state.name!r}, which would not "
                f"be loaded beside version {version}: the newest that is loaded answers. "
                f"Let {ensemble!r} call another version first."
            )
    return tuple(sorted({version, *pinned}))


def _parts(
    models: Models, change: Change, version: int, above: tuple[str, ...] = ()
) -> Iterator[Change]:
    """The models that an ensemble calls and that go with it, those in front first."""
    config, above = _parsed(change.text), (*above, change.state.name)
    for step in config.ensemble_scheduling.step:
        part = models.states.get(step.model_name)
        if part is None or step.model_version > 0 or part.name in above:
            continue
        together = _exported_by(config) and _exported_by(config) == _exported_by(part.config)
        if not together or part.served[-1:] == (version,) or version not in part.versions:
            continue
        known = part.record.of(part.versions).back(version)
        own = _rolled_back(models, part, known) if known else _promoted(models, part.name, version)
        yield from _parts(models, own, version, above)
        yield own


def _planned(models: Models, changes: list[Change]) -> Plan:
    """With the ensembles whose answers change, each with a digest that is true of its parts."""
    by_name = {change.state.name: change for change in changes}
    notes = []
    waiting = [change.state.name for change in changes if change.served != change.state.served]
    while waiting:
        name = waiting.pop(0)
        for ensemble in dict.fromkeys(e for e, version in models.steps_to(name) if version < 0):
            if ensemble not in by_name:
                state = models.get(ensemble)
                by_name[ensemble] = Change(state, state.served, state.text, state.record)
                notes.append(f"{ensemble} calls {name}: its answers change with it")
                waiting.append(ensemble)
    before = {name: state.config for name, state in models.states.items()}
    after = {**before, **{name: _parsed(change.text) for name, change in by_name.items()}}
    settled: set[str] = set()

    def settle(name: str) -> None:
        """Parts first: the digest of an ensemble is of theirs."""
        if name in settled or name not in by_name:
            return
        settled.add(name)
        for step in after[name].ensemble_scheduling.step:
            settle(step.model_name)
        change = by_name[name]
        text = signed_like(restated_ensemble(change.text, before, after), change.text)
        by_name[name] = replace(change, text=text)
        after[name] = _parsed(text)

    for name in by_name:
        settle(name)
    served = {name: state.served for name, state in models.states.items()}
    served |= {name: change.served for name, change in by_name.items()}
    for name in by_name:
        check_calls(name, before, after, served)
    asked = {change.state.name for change in changes}
    kept = [change for name, change in by_name.items() if name in asked or change.writes]
    return Plan(tuple(kept), (*_steady_parts(models, changes), *notes))


def _steady_parts(models: Models, changes: list[Change]) -> Iterator[str]:
    moved = {change.state.name for change in changes}
    for change in changes:
        for step in _parsed(change.text).ensemble_scheduling.step:
            part = models.states.get(step.model_name)
            if part and step.model_name not in moved and step.model_version <= 0:
                versions = _listed(part.served[-1:]) or "none"
                yield f"{change.state.name} calls {part.name}, which stays at version {versions}"


def _exported_by(config: ModelConfig) -> str:
    """The name of the export that wrote a model, whatever the precision."""
    if _EXPORT not in config.parameters:
        return ""
    return str(config.parameters[_EXPORT].string_value).partition(" ")[0]


def _parsed(text: str) -> ModelConfig:
    return parse_config(text, source=CONFIG_NAME)


def _listed(versions: tuple[int, ...]) -> str:
    return ", ".join(map(str, versions))
