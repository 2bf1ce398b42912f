"""Settings that were found, written into a model repository's config.pbtxt."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tritonkit.bench.search.edit import edited
from tritonkit.bench.sweep.placement import changed_configs
from tritonkit.bench.sweep.settings import configured
from tritonkit.errors import ConfigError, RepositoryError
from tritonkit.repository.config import CONFIG_NAME, ModelConfig, render_config
from tritonkit.repository.lock import locked
from tritonkit.repository.sync import sync, write_synced
from tritonkit.repository.text.read import parse_config, read_config

__all__ = ["Change", "comments_of", "plan_changes", "write_changes"]

_FIELD = re.compile(r"(\w+)")
_KEY = re.compile(r'\s*key\s*:\s*"(.*)"\s*')


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    One config.pbtxt, before and after.

    Args:
        file: Where it is.
        before: What it says.
        after: What it is to say.
        lost_comments: Comments that have no place in it.
    """

    file: Path
    before: str
    after: str
    lost_comments: tuple[str, ...] = ()

    @property
    def diff(self) -> str:
        """What differs, as `diff -u` shows it."""
        return "".join(
            difflib.unified_diff(
                self.before.splitlines(keepends=True),
                self.after.splitlines(keepends=True),
                f"{self.file} (before)",
                str(self.file),
            )
        )


def plan_changes(
    repository: Path,
    configs: Mapping[str, Mapping[str, Any]],
    on: str,
    settings: Mapping[str, str],
) -> list[Change]:
    """
    What is to be written; nothing is.

    The files are changed, not replaced by what the server completed: what they leave
    to the server stays left to it. Fields that stay as they are keep their text, order
    and comments; a file that is written in an unusual way is written anew.

    Args:
        repository: With a folder for each of the models.
        configs: Of the model and of all models that it is composed of, as they ran.
        on: The model whose settings were changed.
        settings: That were found.

    Raises:
        RepositoryError: If a file is not there or wrong.
        ConfigError: If the settings do not fit the file.
    """
    from google.protobuf import json_format

    changes = []
    for model, running in changed_configs(configs, on, settings).items():
        file = repository / model / CONFIG_NAME
        config = read_config(file)
        before = file.read_text(encoding="utf-8")
        fields = json_format.MessageToDict(config, preserving_proto_field_name=True)
        if model == on:
            fields = configured({"name": model, **fields}, settings)
        else:
            fields["max_batch_size"] = running["max_batch_size"]
        if not config.name:
            fields.pop("name", None)
        changed = json_format.ParseDict(fields, ModelConfig())
        try:
            after, lost = edited(before, config, changed)
        except ConfigError:
            comments, lost = comments_of(before)
            after = render_config(changed, comments)
        # Read again as Triton will: what is written is what was meant.
        if parse_config(after, source=str(file)) != changed:
            raise RepositoryError(f"{file} could not be written so that it is read back the same.")
        if changed != config:
            changes.append(Change(file=file, before=before, after=after, lost_comments=lost))
    return changes


def write_changes(repository: Path, changes: list[Change]) -> list[Path]:
    """
    Write all files or none; what each said before stays beside it.

    Returns:
        The old files, `config.pbtxt.before` or with a number.

    Raises:
        RepositoryError: If a file changed meanwhile, or cannot be written.
    """
    kept: list[Path] = []
    with locked(repository):
        new = [c.file.with_name(f".{c.file.name}.{os.getpid()}.tmp") for c in changes]
        replaced: list[tuple[Change, Path]] = []
        try:
            for change, aside in zip(changes, new, strict=True):
                if change.file.read_text(encoding="utf-8") != change.before:
                    raise RepositoryError(f"{change.file} was changed meanwhile; nothing written.")
                write_synced(aside, change.after.encode())
                aside.chmod(change.file.stat().st_mode & 0o7777)
                kept.append(_keep(change))
            for change, aside in zip(changes, new, strict=True):
                aside.replace(change.file)
                replaced.append((change, aside))
                sync(change.file.parent)
        except BaseException as error:
            for change, _ in replaced:
                change.file.write_text(change.before, encoding="utf-8")
            for path in [*new, *kept]:
                with suppress(OSError):
                    path.unlink()
            if isinstance(error, OSError):
                raise RepositoryError(
                    f"the configuration cannot be written: {error}; the files are as they were."
                ) from error
            raise
    return kept


def comments_of(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """
    The comments of a config.pbtxt, as `render_config` takes them, and those it cannot.

    A comment stays where it stands alone at the start of a line, right above a field;
    of a field that repeats, above its first.
    """
    found: dict[str, str] = {}
    lost: list[str] = []
    waiting: list[str] = []
    lines = text.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("#"):
            waiting.append(line[1:].removeprefix(" ").rstrip())
            continue
        field = _FIELD.match(line)
        if field and waiting:
            key = _KEY.fullmatch(following) if field[1] == "parameters" else None
            name = f"parameters.{key[1]}" if key else field[1]
            if name in found:
                lost += waiting
            else:
                found[name] = "\n".join(waiting)
            waiting = []
        elif waiting and line.strip():
            lost += waiting
            waiting = []
        if (comment := _trailing(line)) is not None:
            lost.append(comment)
    return found, (*lost, *waiting)


def _keep(change: Change) -> Path:
    """What the file said, in a new file beside it."""
    number = 0
    while True:
        ending = f".{number}" if number else ""
        path = change.file.with_name(f"{change.file.name}.before{ending}")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(change.before)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            number += 1
            continue
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error}") from error
        return path


def _trailing(line: str) -> str | None:
    """The comment in a line that is not one as a whole; a # inside quotes is none."""
    quote = ""
    escaped = False
    for place, letter in enumerate(line):
        if escaped:
            escaped = False
        elif quote:
            escaped = letter == "\\"
            if letter == quote:
                quote = ""
        elif letter in "\"'":
            quote = letter
        elif letter == "#":
            return line[place + 1 :].strip()
    return None
