"""The same repository put before check, and before a real server."""

from __future__ import annotations

import json
import shutil
import traceback
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from tests.repository.differential.known import known
from tests.repository.differential.written import Repository

from tritonkit.repository.check.check import check
from tritonkit.repository.check.finding import Severity
from tritonkit.repository.check.target import Target

if TYPE_CHECKING:
    from tritonkit.server import EmbeddedServer

__all__ = ["TARGET", "Judge", "Verdict"]

TARGET = Target(backends=frozenset({"python", "onnxruntime"}), gpus=0, cache=False)
"""The embedded server."""

ENDED = "the server ended"
"""Stands where its answer would: some warm-up requests end Triton 2.51."""

CRASHED = "crashed"
"""Stands where a rule would."""

SILENT = "no answer"
"""The same where a load never ends; what is loaded later does not either, at times."""

PATIENCE = 60
"""Seconds that a load may take."""

AT_ONCE = 6
"""Loads wait for the start of processes more than they compute."""


@dataclass(frozen=True)
class Verdict:
    """What check and the server say of one repository."""

    repository: Repository
    said: tuple[tuple[str, str], ...]
    refusal: str
    logged: str

    @property
    def agree(self) -> bool:
        """Whether both refuse, or neither."""
        crashed = any(rule == CRASHED for rule, _ in self.said)
        return bool(self.said) == bool(self.refusal) and not crashed

    @property
    def same_text(self) -> bool:
        """Whether the server's refusal is one of those that check foretold."""
        return any(text and text in f"{self.refusal}\n{self.logged}" for _, text in self.said)

    @property
    def reason(self) -> str:
        """Why they may disagree, where that is known."""
        return known(self.refusal, [rule for rule, _ in self.said])

    def __str__(self) -> str:
        said = "\n".join(f"  {rule}: {text}" for rule, text in self.said) or "  accepted"
        answer = f"  {self.refusal or 'accepted'}\n{self.logged}"
        return f"{self.repository}\ncheck:\n{said}\nserver:\n{answer}\n"


class Judge:
    """
    Asks check and a server in explicit mode about repositories, several at once.

    Args:
        server: It runs on `place`.
        place: An empty repository.
    """

    def __init__(self, server: EmbeddedServer, place: Path) -> None:
        self._server = server
        self._place = place
        assert server.log_path is not None
        self._log = server.log_path
        self._numbers = count()
        self._pool = ThreadPoolExecutor(AT_ONCE)

    def verdicts(self, repositories: Sequence[Repository]) -> list[Verdict]:
        """What both say of each of *repositories*; all of it is removed afterwards."""
        prefixes = [f"r{next(self._numbers)}_" for _ in repositories]
        for prefix, repository in zip(prefixes, repositories, strict=True):
            self._write(repository.files(prefix))
        found: list[Verdict] = []
        try:
            found = list(self._pool.map(self._verdict, prefixes, repositories))
            if any(one.refusal in (ENDED, SILENT) for one in found):
                # Over one of them: each is asked by itself, of a server that is well.
                found = [self._alone(*one) for one in zip(prefixes, repositories, strict=True)]
            return found
        finally:
            if any(one.refusal in (ENDED, SILENT) for one in found):
                self._revive()
            for prefix in prefixes:
                for directory in self._place.glob(f"{prefix}*"):
                    shutil.rmtree(directory)

    def _alone(self, prefix: str, repository: Repository) -> Verdict:
        self._revive()
        return self._verdict(prefix, repository)

    def _revive(self) -> None:
        self._server.stop()
        self._server.start()
        assert self._server.log_path is not None
        self._log = self._server.log_path

    def _write(self, files: dict[str, bytes | None]) -> None:
        for name, content in files.items():
            path = self._place / name
            if content is None:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def _verdict(self, prefix: str, repository: Repository) -> Verdict:
        name = f"{prefix}{repository.asked}"
        said = self._said(name)
        begin = self._log.stat().st_size
        refusal = self._post(f"{name}/load")
        logged = self._logged(begin, prefix) if refusal else ""
        for model in repository.models:
            self._post(f"{prefix}{model.name}/unload")
        return Verdict(repository, said, refusal, logged)

    def _said(self, name: str) -> tuple[tuple[str, str], ...]:
        try:
            report = check(self._place, models=[name], target=TARGET)
        except Exception:  # whatever it is, it is a finding of this test
            return ((CRASHED, traceback.format_exc()),)
        return tuple(
            (one.rule.id, one.found.triton)
            for one in report.findings
            if one.severity is Severity.ERROR
        )

    def _logged(self, begin: int, prefix: str) -> str:
        """What the server wrote meanwhile about models of *prefix*; others load beside them."""
        with self._log.open("rb") as file:
            file.seek(begin)
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(line for line in lines if prefix in line or "protobuf" in line)

    def _post(self, what: str) -> str:
        """The server's error; empty where it has none."""
        request = urllib.request.Request(
            f"{self._server.http_url}/v2/repository/models/{what}", data=b"{}", method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE):
                return ""
        except urllib.error.HTTPError as error:
            return str(json.loads(error.read())["error"])
        except (urllib.error.URLError, ConnectionError):
            return ENDED
        except TimeoutError:
            return SILENT
