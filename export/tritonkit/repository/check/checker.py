"""Applying every rule to a model, or to a whole repository."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from tritonkit.repository.check import rules
from tritonkit.repository.check.finding import Finding, Found, sentence
from tritonkit.repository.check.fix.repair import repair
from tritonkit.repository.check.folder import is_stray
from tritonkit.repository.check.rule import Rule, registered
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.present import is_there
from tritonkit.repository.text.lines import Lines

__all__ = ["all_rules", "findings_of"]


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule there is, by id."""
    for module in pkgutil.iter_modules(rules.__path__):
        importlib.import_module(f"{rules.__name__}.{module.name}")
    return registered()


def findings_of(subject: Subject, rules: Iterable[Rule] | None = None) -> list[Finding]:
    """
    What the rules that hold for its server find in one model, in the order of its text.

    Args:
        subject: The model.
        rules: Those that are asked; None for all.
    """
    asked = all_rules() if rules is None else rules
    found: list[Finding] = []
    try:
        # What was found before stays.
        found.extend(_look(subject, asked))
    except OSError as error:
        found.append(_unreadable(subject, error))
    return sorted(found, key=lambda one: (one.line or 0, one.column or 0, one.rule.id))


def _unreadable(subject: Subject, error: OSError) -> Finding:
    """A folder or a file of the model that this process may not read, at which rules give up."""
    file = Path(error.filename) if error.filename else subject.config_path
    found = Found(
        (),
        message=f"'{file.name}' cannot be read: {error.strerror}.",
        advice="Let it be read, by the server too; nothing more was looked at.",
        file=file,
    )
    (rule,) = (rule for rule in all_rules() if rule.id == "TK001")
    return Finding(rule, subject.name, file, None, None, found)


def _look(subject: Subject, rules: Iterable[Rule]) -> Iterator[Finding]:
    whole = subject.parsed and not is_stray(subject)
    for rule in rules:
        if rule.holds_for(subject.target.release) and (rule.unparsed or whole):
            for found in rule.look(subject):
                fix = found.fix or repair(rule.id, subject, found)
                told = replace(found, message=sentence(found.message), fix=fix)
                yield _placed(rule, subject, told)


def _placed(rule: Rule, subject: Subject, found: Found) -> Finding:
    document = subject.document
    if found.file is not None or document is None:
        file, line = found.file or _nearest(subject), found.line
        if document and file == subject.config_path:
            source = document.line(line or 0)
        else:
            source = Lines(_text(file, found)).line(line or 0)
        return Finding(rule, subject.name, file, line, found.column, found, source)
    place = document.place(*found.path)
    source = document.line(place.line)
    file = subject.config_path
    return Finding(rule, subject.name, file, place.line, place.column, found, source)


def _nearest(subject: Subject) -> Path:
    """The configuration, or the model's directory where it has none."""
    if subject.directory is None or is_there(subject.config_path):
        return subject.config_path
    return subject.directory.path


def _text(file: Path, found: Found) -> str:
    if found.line is None:
        return ""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
