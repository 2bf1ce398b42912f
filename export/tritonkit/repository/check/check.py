"""Checking a model repository, a model of it, or one configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from tritonkit.errors import RepositoryError
from tritonkit.repository.check.checker import findings_of
from tritonkit.repository.check.finding import Finding
from tritonkit.repository.check.folder import MODEL_FILES, entries
from tritonkit.repository.check.ignore import ignored_in
from tritonkit.repository.check.neighbours import Neighbours, config_of
from tritonkit.repository.check.report.report import Report
from tritonkit.repository.check.rule import Rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.check.target import Target
from tritonkit.repository.config import CONFIG_NAME
from tritonkit.repository.layout import ModelDirectory, model_directories

__all__ = ["check"]

_CONTAINER = Target()
_NONE: Mapping[Path, bytes] = MappingProxyType({})


def check(
    path: str | Path,
    *,
    models: Sequence[str] = (),
    target: Target = _CONTAINER,
    repositories: Sequence[str | Path] = (),
    rules: Collection[Rule] | None = None,
    texts: Mapping[Path, bytes] = _NONE,
) -> Report:
    """
    Find every mistake, without a server.

    Args:
        path: A repository; a model's directory, which is checked beside the models around
            it; or a configuration. One that stands alone, with nothing of a model beside it,
            is checked for what its text says.
        models: Check these of the repository only; empty for all.
        target: The server that is to load it.
        repositories: More repositories of the same server; their models are checked too
            where *path* is a repository.
        rules: The rules that are asked; None for all.
        texts: Configurations that are read in the place of those on disk, by their paths
            as findings have them.

    Raises:
        RepositoryError: If *path* is not there, cannot be read or holds no model, or has
            none of a name in *models*.
    """
    path = Path(path)
    try:
        others = [Path(other) for other in repositories]
        subjects = _subjects(path, models, target, others, texts)
        findings: list[Finding] = []
        ignored: list[Finding] = []
        for subject in subjects:
            if rules is None and subject is subject.neighbours.get(subject.name):
                found = subject.neighbours.findings(subject.name)
            else:
                found = findings_of(subject, rules)
            _sort(subject, found, findings, ignored)
    except OSError as error:
        raise RepositoryError(
            f"{error.filename or path} cannot be read: {error.strerror}."
        ) from error
    names = tuple(subject.name for subject in subjects)
    return Report(path, target, names, tuple(findings), tuple(ignored))


def _sort(
    subject: Subject, found: list[Finding], findings: list[Finding], ignored: list[Finding]
) -> None:
    left = ignored_in(subject.document.text if subject.document else "")
    for finding in found:
        here = finding.line if finding.file == subject.config_path else None
        (ignored if left.covers(finding.rule.id, here) else findings).append(finding)


def _subjects(
    path: Path,
    models: Sequence[str],
    target: Target,
    others: list[Path],
    texts: Mapping[Path, bytes],
) -> list[Subject]:
    if not path.exists():
        raise RepositoryError(
            f"{path} does not exist; name a repository, a model or its {CONFIG_NAME}."
        )
    if not path.is_dir():
        return [_named(_of_config(path, target, others, texts), models)]
    if _is_model(path):
        return [_named(_of_model(_absolute(path), target, others, texts), models)]
    found = Neighbours([path, *others], target, texts)
    if not any(_may_be_model(directory.path) for directory in model_directories(path)):
        raise RepositoryError(
            f"{path} holds no model: no folder of it holds a {CONFIG_NAME} or a version folder."
        )
    return list(_chosen(found, models)) if models else list(found)


def _named(subject: Subject, models: Sequence[str]) -> Subject:
    if models and subject.name not in models:
        raise RepositoryError(
            f"{subject.config_path} is of model {subject.name!r}, not of {', '.join(models)}; "
            "name the repository to check another model of it."
        )
    return subject


def _chosen(found: Neighbours, models: Sequence[str]) -> Iterator[Subject]:
    for name in sorted(set(models)):
        subject = found.get(name)
        if subject is None:
            near = get_close_matches(name, found.directories, 1)
            meant = f"; did you mean {near[0]!r}?" if near else "."
            raise RepositoryError(f"{found.repositories[0]} holds no model {name!r}{meant}")
        yield subject


def _of_config(
    path: Path, target: Target, others: list[Path], texts: Mapping[Path, bytes]
) -> Subject:
    path = _absolute(path)
    folder = path.parent.parent if path.parent.name == "configs" else path.parent
    if _has_versions(folder) or (path.name == CONFIG_NAME and _holds_a_model(folder)):
        if path != folder / CONFIG_NAME:
            target = replace(target, config_name=path.stem)
        return _of_model(folder, target, others, texts, path)
    return Subject(None, path, target, Neighbours(others, target, texts))


def _of_model(
    folder: Path,
    target: Target,
    others: list[Path],
    texts: Mapping[Path, bytes],
    config: Path | None = None,
) -> Subject:
    directory = ModelDirectory(folder)
    beside = Neighbours([folder.parent, *others], target, texts)
    if config is not None and config != config_of(directory, target):
        return Subject(directory, config, target, beside)
    subject = beside.get(folder.name)
    assert subject is not None
    return subject


def _is_model(path: Path) -> bool:
    """Whether a folder is a model's: a number that holds no numbers is a version of one."""
    if (path / CONFIG_NAME).is_file():
        return True
    return any(not _is_model(path / str(number)) for number in ModelDirectory(path).versions())


def _may_be_model(path: Path) -> bool:
    """As `_is_model`, and whether it is a folder that may not be looked into."""
    try:
        return _is_model(path)
    except OSError:
        return True


def _absolute(path: Path) -> Path:
    """With a name; a link that is a model is called as the link."""
    return path.resolve() if ".." in path.parts else path.absolute()


def _has_versions(folder: Path) -> bool:
    return bool(ModelDirectory(folder).versions())


def _holds_a_model(folder: Path) -> bool:
    """Whether something of a model stands beside its configuration, if in a wrong place."""
    return any(
        entry.name in MODEL_FILES or (entry.is_dir() and entry.name != "configs")
        for entry in entries(folder)
    )
