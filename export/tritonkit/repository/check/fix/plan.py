"""The repairs of many findings, put together file by file before anything is written."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tritonkit.errors import RepositoryError
from tritonkit.repository.check.finding import Finding
from tritonkit.repository.check.fix.fix import Fix
from tritonkit.repository.regular import read_regular
from tritonkit.repository.text.document import Document
from tritonkit.repository.text.edit import AddField, Edit, Remove, edited
from tritonkit.repository.text.edit import Path as EditPath

__all__ = ["Change", "NewFolder", "Plan", "plan_fixes"]

_NONE: Mapping[Path, bytes] = MappingProxyType({})
# Characters, over all repairs of one file: a text of 5,000 takes 200 of them in a round.
_MOST_READ = 1_000_000


@dataclass(frozen=True, slots=True)
class Change:
    """
    A configuration, before and after.

    Args:
        path: The file.
        before: Its bytes when it was checked.
        after: What it is to be.
        repository: See `Fix`.
    """

    path: Path
    before: bytes
    after: bytes
    repository: Path | None


@dataclass(frozen=True, slots=True)
class NewFolder:
    """
    A directory that is to be made.

    Args:
        path: The directory; the one around it is there.
        repository: See `Fix`.
    """

    path: Path
    repository: Path | None


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is to be done about findings; `apply_plan` does it.

    Args:
        changes: The configurations that change, by path.
        folders: The directories that are made, by path.
        left: What cannot be repaired and why, a sentence each.
    """

    changes: tuple[Change, ...] = ()
    folders: tuple[NewFolder, ...] = ()
    left: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes or self.folders)

    def diff(self) -> str:
        """A unified diff of every change; a directory that is made is a comment in it."""
        return "".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for folder in self.folders:
            yield f"# mkdir {folder.path}\n"
        for change in self.changes:
            before, after = (_lines_of(text) for text in (change.before, change.after))
            name = str(change.path)
            for line in difflib.unified_diff(before, after, f"{name}", f"{name} (fixed)"):
                yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def plan_fixes(findings: Iterable[Finding], texts: Mapping[Path, bytes] = _NONE) -> Plan:
    """
    Put the repairs of *findings* together.

    Two that contradict each other are both left, and so is one after which the text would
    not mean what the repair says.

    Args:
        findings: Of a check.
        texts: What was checked in the place of files on disk, by their paths.
    """
    fixes = [finding.found.fix for finding in findings if finding.found.fix is not None]
    folders = {fix.folder: NewFolder(fix.folder, fix.repository) for fix in fixes if fix.folder}
    by_file: dict[Path, list[Fix]] = {}
    for fix in fixes:
        if fix.edits:
            by_file.setdefault(fix.config, []).append(fix)
    changes: list[Change] = []
    left: list[str] = []
    for path, of_file in sorted(by_file.items()):
        edits, refused = _agreed([edit for fix in of_file for edit in fix.edits])
        left += [f"{path}: {sentence}" for sentence in refused]
        try:
            before = texts[path] if path in texts else read_regular(path)
        except OSError as error:
            left.append(f"{path} cannot be read: {error.strerror}.")
            continue
        after, refused = _edited(path, before, edits)
        left += refused
        if after != before:
            changes.append(Change(path, before, after, of_file[0].repository))
    return Plan(tuple(changes), tuple(folders[path] for path in sorted(folders)), tuple(left))


def _edited(path: Path, content: bytes, edits: list[Edit]) -> tuple[bytes, list[str]]:
    """*content* after *edits*, and why some of them are not made."""
    document = Document.parse(content.decode("utf-8", "surrogateescape"), source=str(path))
    left = []
    # The text is read again after each of them.
    most = max(1, _MOST_READ // max(1, len(document.text)))
    for edit in edits[:most]:
        try:
            document = edited(document, [edit])
        except RepositoryError as error:
            left.append(str(error))
            if document.config is None:
                break
    else:
        if len(edits) > most:
            left.append(f"{path}: {len(edits) - most:,} repairs more; run it again.")
    return document.text.encode("utf-8", "surrogateescape"), left


def _agreed(edits: list[Edit]) -> tuple[list[Edit], list[str]]:
    """The edits that do not contradict one another, in an order that keeps numbers right."""
    unique = list(dict.fromkeys(edits))
    by_path: dict[EditPath, list[Edit]] = {}
    for edit in unique:
        if not isinstance(edit, AddField):
            by_path.setdefault(edit.path, []).append(edit)
    kept: list[Edit] = []
    refused = []
    for path, of_path in by_path.items():
        around = [path[:length] for length in range(1, len(path))]
        if len(of_path) > 1 or any(each in by_path for each in around):
            refused.append(f"two repairs contradict each other at {'.'.join(map(str, path))}.")
        else:
            kept += of_path
    # The last number of a list goes first: those before it keep theirs.
    removed = [edit for edit in kept if isinstance(edit, Remove)]
    removed.sort(
        key=lambda edit: [
            (str(part), 0) if isinstance(part, str) else ("", part) for part in edit.path
        ],
        reverse=True,
    )
    others = [edit for edit in kept if not isinstance(edit, Remove)]
    added = [edit for edit in unique if isinstance(edit, AddField)]
    return [*others, *removed, *added], refused


def _lines_of(content: bytes) -> list[str]:
    text = content.decode("utf-8", "backslashreplace")
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines
