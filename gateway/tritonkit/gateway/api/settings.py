"""Which models the routes for applications know, and how much they take."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration, parse_size

__all__ = ["ApiSettings", "Corpus", "TextModel"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TextModel:
    """
    A model that turns texts into embeddings.

        [gateway.models.minilm]
        input = "text"
        output = "embedding"

    Args:
        name: That callers say.
        model: That is asked; the same name by default.
        version: Of the model; empty lets the server choose.
        input: Its input of text.
        output: Its output of one vector a text.
        max_texts: The most of a request, the documents of a search included.
        max_characters: The most of a text. A tokenizer cuts what is longer than its model
            takes, some hundreds of words.
        batch: Texts that go to the model at a time; as many as it takes by default.

    Raises:
        ConfigError: If an argument is out of range.
    """

    name: str
    model: str = field(default="", kw_only=True)
    version: str = field(default="", kw_only=True)
    input: str = field(default="text", kw_only=True)
    output: str = field(default="embedding", kw_only=True)
    max_texts: int = field(default=256, kw_only=True)
    max_characters: int = field(default=10_000, kw_only=True)
    batch: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_name(self.name)
        for name in ("input", "output"):
            if not getattr(self, name):
                raise ConfigError(f"{name} must be the name of a tensor, but got ''.")
        for name in ("max_texts", "max_characters"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative, but got {getattr(self, name)}.")
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"batch must be at least 1, but got {self.batch}.")
        object.__setattr__(self, "model", self.model or self.name)


@dataclass(frozen=True, slots=True)
class Corpus:
    """
    Documents to search in, a line each.

        [gateway.corpora.faq]
        model = "minilm"
        file = "faq.txt"

    Embedded when it is searched for the first time, through the cache, and again when
    the file or the model's version is another one.

    Args:
        name: That callers say.
        model: Name of a TextModel.
        file: UTF-8 text; empty lines are none. A path that is not whole begins where the
            gateway is started, as all of a policy do.
        max_documents: The most that it may have.

    Raises:
        ConfigError: If an argument is wrong.
    """

    name: str
    model: str = field(kw_only=True)
    file: str | os.PathLike[str] = field(kw_only=True)
    max_documents: int = field(default=20_000, kw_only=True)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if not os.fspath(self.file):
            raise ConfigError("file must be the path of a text file, but got ''.")
        if self.max_documents < 0:
            raise ConfigError(f"max_documents must not be negative, but got {self.max_documents}.")

    @property
    def path(self) -> Path:
        """Of the file."""
        return Path(self.file)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """
    All that the routes for applications are told.

    Args:
        models: That `/api/embed`, `/api/similarity` and `/api/search` know.
        corpora: That `/api/search` knows.
        max_body: Bytes of a request, once it is unpacked.
        max_wait: The longest that a question for a job's result may wait.
        max_outcomes: Outcomes of a request.

    Raises:
        ConfigError: If an argument is out of range, or a corpus names no model of these.
    """

    models: Sequence[TextModel] = ()
    corpora: Sequence[Corpus] = ()
    max_body: str | int = "4MB"
    max_wait: str | float | timedelta = "60s"
    max_outcomes: int = 1_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_body", parse_size(self.max_body, name="max_body"))
        object.__setattr__(self, "max_wait", parse_duration(self.max_wait, name="max_wait"))
        if self.max_outcomes < 0:
            raise ConfigError(f"max_outcomes must not be negative, but got {self.max_outcomes}.")
        for kind, each in (("models", self.models), ("corpora", self.corpora)):
            names = [one.name for one in each]
            if len(set(names)) < len(names):
                raise ConfigError(f"{kind} must have different names, but got {names}.")
        known = [model.name for model in self.models]
        for corpus in self.corpora:
            if corpus.model not in known:
                raise ConfigError(
                    f"model of corpus {corpus.name!r} must be one of {known}, "
                    f"but got {corpus.model!r}."
                )

    @property
    def body_bytes(self) -> int:
        """`max_body` in bytes."""
        assert isinstance(self.max_body, int)
        return self.max_body

    @property
    def wait_seconds(self) -> float:
        """`max_wait` in seconds."""
        assert isinstance(self.max_wait, float)
        return self.max_wait


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "name must be 1 to 128 letters, digits and any of _.- with a letter or a digit "
            f"first, but got {name!r}."
        )
