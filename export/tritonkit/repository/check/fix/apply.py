"""Writing a plan: each file whole or not at all, under the repository's lock."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tritonkit.repository.check.fix.plan import Change, NewFolder, Plan
from tritonkit.repository.lock import locked
from tritonkit.repository.replace import replace_file
from tritonkit.repository.sync import sync

__all__ = ["Outcome", "apply_plan"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of a plan.

    Args:
        written: Files that were written and directories that were made.
        left: What was left as it is and why, a sentence each.
    """

    written: tuple[Path, ...] = ()
    left: tuple[str, ...] = ()


def apply_plan(plan: Plan) -> Outcome:
    """
    Do what *plan* says.

    A file takes its new content in one step and keeps its mode and, where that is allowed,
    its owner. One that is no longer as it was when it was checked is left alone. A link
    stays, and what it leads to is written.

    Raises:
        RepositoryError: If a repository cannot be locked; nothing was written then.
    """
    written: list[Path] = []
    left = list(plan.left)
    with ExitStack() as locks:
        steps: tuple[Change | NewFolder, ...] = (*plan.folders, *plan.changes)
        for repository in sorted({step.repository for step in steps if step.repository}):
            locks.enter_context(locked(repository))
        for step in steps:
            try:
                reason = _make(step) if isinstance(step, NewFolder) else _write(step)
            except OSError as error:
                reason = f"cannot be written: {error.strerror}."
            if reason:
                left.append(f"{step.path} {reason}")
            else:
                written.append(step.path)
    return Outcome(tuple(written), tuple(left))


def _make(folder: NewFolder) -> str:
    """Why it is left, the end of a sentence; empty where it was made."""
    folder.path.mkdir(exist_ok=True)
    sync(folder.path.parent)
    return ""


def _write(change: Change) -> str:
    """As `_make`."""
    if change.path.read_bytes() != change.before:
        return "changed meanwhile, and is left as it is; check it again."
    replace_file(change.path, change.after)
    return ""
