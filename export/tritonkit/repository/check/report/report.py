"""Everything that a check found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tritonkit.repository.check.finding import Finding, Severity
from tritonkit.repository.check.target import Target

__all__ = ["Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """
    Everything that a check found.

    Args:
        path: What was checked.
        target: The server that it was checked for.
        models: The models that were checked, by name.
        findings: By model, each model's in the order of its text.
        ignored: What a comment of a configuration says to leave.
    """

    path: Path
    target: Target
    models: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    ignored: tuple[Finding, ...] = ()

    @property
    def errors(self) -> int:
        """Findings for which Triton refuses a model."""
        return self._count(Severity.ERROR)

    @property
    def requests(self) -> int:
        """Findings that fail when asked."""
        return self._count(Severity.REQUEST)

    @property
    def warnings(self) -> int:
        """Findings that Triton serves otherwise than meant."""
        return self._count(Severity.WARNING)

    def ok(self, strict: bool = False) -> bool:
        """Whether nothing is wrong; with *strict*, a warning is wrong as well."""
        return not (self.errors or self.requests or (strict and self.warnings))

    def of(self, model: str) -> tuple[Finding, ...]:
        """The findings of one model."""
        return tuple(finding for finding in self.findings if finding.model == model)

    def _count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)
