"""Applying every rule to a model, or to a whole repository."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache

from tritonkit.repository.check import rules
from tritonkit.repository.check.finding import Finding, Found
from tritonkit.repository.check.rule import Rule, registered
from tritonkit.repository.check.subject import Subject

__all__ = ["all_rules", "findings_of"]


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule there is, by id."""
    for module in pkgutil.iter_modules(rules.__path__):
        importlib.import_module(f"{rules.__name__}.{module.name}")
    return registered()


def findings_of(subject: Subject) -> list[Finding]:
    """What the rules that hold for its server find in one model, in the order of its text."""
    found = list(_look(subject))
    return sorted(found, key=lambda one: (one.line or 0, one.column or 0, one.rule.id))


def _look(subject: Subject) -> Iterator[Finding]:
    for rule in all_rules():
        if rule.holds_for(subject.target.release) and (rule.unparsed or subject.parsed):
            for found in rule.look(subject):
                yield _placed(rule, subject, found)


def _placed(rule: Rule, subject: Subject, found: Found) -> Finding:
    if found.file is not None or subject.document is None:
        file = found.file or subject.config_path
        return Finding(rule, subject.name, file, None, None, found)
    place = subject.document.place(*found.path)
    return Finding(rule, subject.name, subject.config_path, place.line, place.column, found)
