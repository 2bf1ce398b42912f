"""Repairing and checking again, until nothing more can be repaired."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tritonkit.repository.check.fix.apply import apply_plan
from tritonkit.repository.check.fix.plan import Change, NewFolder, Plan, plan_fixes
from tritonkit.repository.check.report.report import Report

__all__ = ["Check", "Fixed", "fix", "repairs"]

_MOST = 5

Check: TypeAlias = Callable[[Mapping[Path, bytes]], Report]
"""Checks with these configurations in the place of those on disk, by their paths."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """
    What was repaired, and what is left.

    Args:
        report: The last check.
        written: Files that were written and directories that were made.
        left: What could not be repaired and why, a sentence each.
    """

    report: Report
    written: tuple[Path, ...]
    left: tuple[str, ...]


def repairs(check: Check) -> tuple[Report, Plan]:
    """
    What is wrong, and all that can be repaired of it; nothing is written.

    One repair may bring to light what another mistake hid, so that it goes in rounds. The
    plan is of them all.

    Raises:
        RepositoryError: If a repository cannot be checked.
    """
    first = report = check({})
    texts: dict[Path, bytes] = {}
    changes: dict[Path, Change] = {}
    folders: dict[Path, NewFolder] = {}
    left: tuple[str, ...] = ()
    seen = [dict(texts)]
    for _ in range(_MOST):
        plan = plan_fixes(report.findings, texts)
        left = plan.left
        folders |= {folder.path: folder for folder in plan.folders}
        if not plan.changes:
            break
        for change in plan.changes:
            start = changes.get(change.path, change).before
            changes[change.path] = Change(change.path, start, change.after, change.repository)
            texts[change.path] = change.after
        if texts in seen:
            break
        seen.append(dict(texts))
        report = check(texts)
    changed = tuple(
        changes[path] for path in sorted(changes) if changes[path].before != changes[path].after
    )
    return first, Plan(changed, tuple(folders[path] for path in sorted(folders)), left)


def fix(check: Check, *, show: Callable[[str], object] | None = None) -> Fixed:
    """
    Repair what has one right answer, and check again.

    Args:
        check: Checks, and is called several times.
        show: Given the diff of it all before it is written; None for no diff.

    Raises:
        RepositoryError: If a repository cannot be checked or locked.
    """
    report, plan = repairs(check)
    if not plan:
        return Fixed(report, (), plan.left)
    if show is not None:
        show(plan.diff())
    outcome = apply_plan(plan)
    return Fixed(check({}) if outcome.written else report, outcome.written, outcome.left)
