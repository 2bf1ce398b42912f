"""The models that stand beside one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from tritonkit.repository.check.finding import Finding, Severity
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.check.target import Target
from tritonkit.repository.ensemble.call_graph import Below, CallGraph
from tritonkit.repository.layout import ModelDirectory, model_directories
from tritonkit.repository.present import is_there

__all__ = ["Neighbours", "config_of"]

_NONE: Mapping[Path, bytes] = MappingProxyType({})


def config_of(directory: ModelDirectory, target: Target) -> Path:
    """The configuration that the server reads, whether or not it is there."""
    if target.config_name:
        custom = directory.path / "configs" / f"{target.config_name}.pbtxt"
        if custom.exists():
            return custom
    return directory.config_path


def _broken_links(repository: Path) -> Iterator[ModelDirectory]:
    """Links of *repository* that lead nowhere: no models, and yet Triton looks at them."""
    for entry in sorted(repository.iterdir()):
        if entry.is_symlink() and not is_there(entry):
            yield ModelDirectory(entry)


class Neighbours:
    """
    Every model of one repository or of several that one server loads.

    Args:
        repositories: The directories, in the order in which the server gets them.
        target: The server.
        texts: Configurations that are read in the place of those on disk, by their paths.
    """

    def __init__(
        self, repositories: Sequence[Path], target: Target, texts: Mapping[Path, bytes] = _NONE
    ) -> None:
        self.repositories = tuple(repositories)
        self.target = target
        self.texts = texts
        self._subjects: dict[str, Subject] = {}
        self._findings: dict[str, list[Finding]] = {}
        self._calls: dict[str, tuple[str, ...]] = {}

    @cached_property
    def directories(self) -> dict[str, tuple[ModelDirectory, ...]]:
        """The directories of each name: more than one where two repositories have it."""
        found: dict[str, tuple[ModelDirectory, ...]] = {}
        for repository in self.repositories:
            for directory in (*model_directories(repository), *_broken_links(repository)):
                found[directory.name] = (*found.get(directory.name, ()), directory)
        return found

    def get(self, name: str) -> Subject | None:
        """The model called *name*; None where there is none."""
        if name not in self._subjects:
            directories = self.directories.get(name)
            if not directories:
                return None
            path = config_of(directories[0], self.target)
            self._subjects[name] = Subject(directories[0], path, self.target, self)
        return self._subjects[name]

    def calls(self, name: str) -> tuple[str, ...]:
        """The models that an ensemble's steps call, each once; none of another model."""
        if name not in self._calls:
            subject = self.get(name)
            given = subject.given if subject is not None and subject.parsed else None
            steps = () if given is None else given.ensemble_scheduling.step
            self._calls[name] = tuple(dict.fromkeys(str(s.model_name) for s in steps))
        return self._calls[name]

    def below(self, name: str) -> Below:
        """
        What is known of the model called *name* and of all that it calls.

        Its marks are "decoupled", where the configuration of one says so, and "streams", where
        that is one that runs itself and no ensemble.
        """
        return self._call_graph.below(name)

    @cached_property
    def _call_graph(self) -> CallGraph:
        return CallGraph(self.calls, self._marks)

    def _marks(self, name: str) -> frozenset[str]:
        subject = self.get(name)
        if subject is None:
            return frozenset()
        marks = set()
        if subject.given.model_transaction_policy.decoupled:
            marks.add("decoupled")
        runs_itself = subject.parsed and not subject.is_ensemble
        if runs_itself and subject.config.model_transaction_policy.decoupled:
            marks.add("streams")
        return frozenset(marks)

    def is_looked_at(self, name: str) -> bool:
        """Whether the findings of the model called *name* are there already."""
        return name in self._findings

    def errors(self, name: str) -> list[Finding]:
        """Why the server refuses the model called *name*; none where it is not there."""
        return [one for one in self.findings(name) if one.severity is Severity.ERROR]

    def findings(self, name: str) -> list[Finding]:
        """What all rules find in the model called *name*, looked for once."""
        from tritonkit.repository.check.checker import findings_of

        if name not in self._findings:
            subject = self.get(name)
            self._findings[name] = [] if subject is None else findings_of(subject)
        return self._findings[name]

    @cached_property
    def resource_scopes(self) -> dict[str, dict[bool, str]]:
        """For each resource of the rate limiter: a model in which it is global, and one not."""
        scopes: dict[str, dict[bool, str]] = {}
        for subject in self:
            for group in subject.given.instance_group if subject.parsed else ():
                for resource in group.rate_limiter.resources:
                    of_name = scopes.setdefault(resource.name, {})
                    of_name.setdefault(getattr(resource, "global"), subject.name)
        return scopes

    def __iter__(self) -> Iterator[Subject]:
        for name in sorted(self.directories):
            subject = self.get(name)
            if subject is not None:
                yield subject
