"""Repairing and checking again, until nothing more can be repaired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tritonkit.repository.check.fix.apply import Outcome, apply_plan
from tritonkit.repository.check.fix.plan import Plan, plan_fixes
from tritonkit.repository.check.report.report import Report

__all__ = ["Fixed", "fix"]

_MOST = 5


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


def fix(check: Callable[[], Report], *, show: Callable[[str], object] | None = None) -> Fixed:
    """
    Repair what has one right answer, and check again.

    One repair may bring to light what another mistake hid, so that it goes in rounds.

    Args:
        check: Checks, and is called again after each round.
        show: Given the diff of each round before it is written; None for no diff.

    Raises:
        RepositoryError: If a repository cannot be checked or locked.
    """
    report = check()
    written: dict[Path, None] = {}
    left: tuple[str, ...] = ()
    seen: set[str] = set()
    for _ in range(_MOST):
        plan: Plan = plan_fixes(report.findings)
        difference = plan.diff()
        left = plan.left
        if not plan or difference in seen:
            break
        seen.add(difference)
        if show is not None:
            show(difference)
        outcome: Outcome = apply_plan(plan)
        left = outcome.left
        if not outcome.written:
            break
        written.update(dict.fromkeys(outcome.written))
        report = check()
    return Fixed(report, tuple(written), left)
