"""One export, as asked for: the source, the place, the options."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tritonkit.errors import ConfigError
from tritonkit.export.origin import Origin
from tritonkit.export.serving import encoder_name, ensemble_name, tokenizer_name
from tritonkit.export.source import SentenceTransformer, read_source
from tritonkit.repository import check_model_name

__all__ = ["PRECISIONS", "Plan", "make_plan"]

PRECISIONS = ("fp32", "int8")
"""What export can write: as trained, and dynamic int8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What to export, where to, and how; checked by `make_plan`.

    Args:
        source: The model.
        repository: The model repository.
        name: What clients call.
        precisions: Out of PRECISIONS, each once.
        max_batch_size: Most rows that one run of a model takes.
        threads: Threads of one run of an encoder; 0 leaves it to the server.
    """

    source: SentenceTransformer
    repository: Path
    name: str
    precisions: tuple[str, ...]
    max_batch_size: int
    threads: int

    def models(self) -> dict[str, Origin]:
        """The origin of each model that the export writes, by its name."""
        models = {tokenizer_name(self.name): Origin(self.name, self.source.digest)}
        for precision in self.precisions:
            origin = Origin(f"{self.name} {precision}", self.source.digest)
            for name in (encoder_name, ensemble_name):
                models[name(self.name, precision)] = origin
        return models

    def recipe(self, precision: str) -> str:
        """sha256 over all that decides the model: source, options, and the export's own code."""
        values = [self.source.digest, self.name, precision, self.max_batch_size, self.threads]
        return hashlib.sha256(json.dumps([*values, _code_digest()]).encode()).hexdigest()

    def command(self) -> str:
        """The command line that does the same."""
        words = ["tritonkit", "export", str(self.source.path), str(self.repository)]
        words += ["--name", self.name, "--max-batch-size", str(self.max_batch_size)]
        words += ["--threads", str(self.threads)] if self.threads else []
        words += [word for precision in self.precisions for word in ("--precision", precision)]
        return shlex.join(words)


def make_plan(
    source: Path,
    repository: Path,
    *,
    name: str,
    precisions: Sequence[str],
    max_batch_size: int,
    threads: int,
) -> Plan:
    """
    Check the options and read the source.

    Raises:
        ConfigError: If an option is wrong, or the source is one that export cannot convert.
    """
    wanted = tuple(dict.fromkeys(precisions))
    if not wanted or not set(wanted) <= set(PRECISIONS):
        raise ConfigError(f"precisions must be out of {', '.join(PRECISIONS)}, but got {wanted}.")
    if max_batch_size < 1:
        raise ConfigError(f"max_batch_size must be 1 or more, but got {max_batch_size}.")
    if threads < 0:
        raise ConfigError(f"threads must be 0 or more, but got {threads}.")
    return Plan(
        name=check_model_name(name),
        source=read_source(source),
        repository=repository,
        precisions=wanted,
        max_batch_size=max_batch_size,
        threads=threads,
    )


def _code_digest() -> str:
    """The export's own code, so that a new version makes its models anew."""
    here = Path(__file__).parent
    total = hashlib.sha256()
    for file in sorted([*here.rglob("*.py"), *here.parent.joinpath("repository").rglob("*.py")]):
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
