"""What a rule finds and what it leaves alone, as files of a repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tritonkit.repository.check.target import Target

__all__ = ["PYTHON", "SERVER", "Case", "Files", "write_files"]

Files: TypeAlias = "Mapping[str, str | bytes | Path]"
"""
What files hold, by their path in the repository: "m/config.pbtxt".

A path that ends with "/" is an empty folder, a Path is where a symbolic link leads.
Paths that start with "../second/" are in a second repository of the same server.
"""

PYTHON = "class TritonPythonModel:\n    def execute(self, requests):\n        return []\n"
"""The least model.py that Triton loads; refused models need none that is better."""

SERVER = Target()
"""What is known of the server that is asked."""


@dataclass(frozen=True, slots=True)
class Case:
    """
    A mistake that a rule finds, and the same done right.

    A load that Triton refuses costs a millisecond; one of a Python or onnxruntime model
    that it accepts costs seconds of CPU. Equal `passes` are loaded once for all cases: let
    cases share one where they can. An ensemble costs nothing more than its models.

    Args:
        rule: Its id.
        fails: A repository in which the rule finds something of `model`.
        passes: One in which it finds nothing, and no rule finds an error.
        model: The model that is checked, and loaded.
        says: Triton's text, all of it: each finding of the rule in `fails` that has a text has
            this one. "{repository}" stands for the repository's path.
        at: What stands in the file where the finding points; empty where it is about the
            whole file, or about a file that is not the configuration.
        finds: How many findings of the rule `fails` has.
        target: The server that is assumed.
        unasked: Why the real server cannot be asked about `fails`; it is about `passes`.
        unasked_passes: Why it cannot be asked about `passes`.
    """

    rule: str
    fails: Files
    passes: Files
    model: str = "m"
    says: str = ""
    at: str = ""
    finds: int = 1
    target: Target = SERVER
    unasked: str = ""
    unasked_passes: str = ""


def write_files(repository: Path, files: Files) -> None:
    """Write *files* into *repository*, which is there."""
    for name, content in files.items():
        path = repository / name
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
