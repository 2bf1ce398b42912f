"""Documents that are searched again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.async_client import AsyncClient
from tritonkit.errors import DeadlineExceeded, InferenceFailed
from tritonkit.gateway.api.call import Call
from tritonkit.gateway.api.embedder import Embedded, Embedder
from tritonkit.gateway.api.fields import wrong
from tritonkit.gateway.api.settings import Corpus, TextModel
from tritonkit.gateway.api.vectors import unit
from tritonkit.gateway.tenants.marks import Marks
from tritonkit.gateway.tenants.tenants import Tenants

__all__ = ["Corpora", "Held", "read_documents"]

_AGAIN = 30.0
"""Seconds from one embedding of a corpus to the next that another version may cause."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """
    A corpus in memory.

    Args:
        documents: A text each.
        vectors: Of length 1, shape (documents, d).
        version: Of the model that made them.
        stamp: Of the file that they come from.
        at: When, in seconds of `time.monotonic`.
    """

    documents: Sequence[str]
    vectors: NDArray[np.float32]
    version: str
    stamp: tuple[int, int]
    at: float


class Corpora:
    """
    Embeds each corpus when it is first asked for, as nobody's and at the priority "batch".

    Its vectors are kept by the cache as well, so that another worker, or a restart, finds
    them. Whoever leaves while a corpus is embedded leaves it to go on for the others.

    Args:
        client: Of the worker.
        corpora: By the names that callers say.
        embedder: Of their models.
    """

    def __init__(self, client: AsyncClient, corpora: Sequence[Corpus], embedder: Embedder) -> None:
        self._client = client
        self._corpora = {corpus.name: corpus for corpus in corpora}
        self._embedder = embedder
        self._held: dict[str, Held] = {}
        self._tasks: dict[str, asyncio.Task[Held]] = {}

    def corpus(self, name: str) -> Corpus:
        """
        The one with this name.

        Raises:
            Refused: 404 where there is none.
        """
        found = self._corpora.get(name)
        if found is None:
            known = ", ".join(map(repr, self._corpora)) or "none: [gateway.corpora] is empty"
            raise wrong(f"no corpus {name!r}; there are {known}", status=404)
        return found

    async def held(self, call: Call, corpus: Corpus, version: str) -> Held:
        """
        The corpus, as the file is now.

        Args:
            call: Who waits for it, and until when.
            corpus: Which.
            version: Of the model that made the query's vector, to compare with its own.

        Raises:
            RequestError: If it cannot be embedded, or not in the caller's time.
            InferenceFailed: If the file cannot be read.
        """
        held = self._held.get(corpus.name)
        stamp = await asyncio.to_thread(_stamp, corpus)
        # Under a split of versions each query may come from another one.
        if (
            held is not None
            and held.stamp == stamp
            and (held.version == version or monotonic() < held.at + _AGAIN)
        ):
            return held
        task = self._tasks.get(corpus.name)
        if task is None:
            task = asyncio.create_task(self._embed(corpus, stamp))
            self._tasks[corpus.name] = task
            task.add_done_callback(lambda done: self._ended(corpus.name, done))
        try:
            async with asyncio.timeout(call.remaining()):
                return await asyncio.shield(task)
        except TimeoutError:
            if task.done():
                raise
            raise DeadlineExceeded(
                f"corpus {corpus.name!r} is still being embedded; it goes on, ask again later",
                model=call.model,
            ) from None

    async def aclose(self) -> None:
        """Embed no more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _embed(self, corpus: Corpus, stamp: tuple[int, int]) -> Held:
        model = self._embedder.model(corpus.model)
        documents = await asyncio.to_thread(read_documents, corpus, model)
        call = Call(self._client, Tenants(), monotonic())
        call.marks = Marks(tags={"corpus": corpus.name}, priority="batch")
        embedded = (
            await self._embedder.embed(call, model, documents)
            if documents
            else Embedded(np.zeros((0, 1), dtype=np.float32), model.model, "")
        )
        held = Held(documents, unit(embedded.vectors), embedded.version, stamp, monotonic())
        self._held[corpus.name] = held
        return held

    def _ended(self, name: str, task: asyncio.Task[Held]) -> None:
        self._tasks.pop(name, None)
        if not task.cancelled():
            # Told to whoever waits; nobody may.
            task.exception()


def read_documents(corpus: Corpus, model: TextModel) -> list[str]:
    """
    The documents of a corpus.

    Raises:
        InferenceFailed: If the file cannot be read, has too many, or one that is too long.
    """
    try:
        text = corpus.path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InferenceFailed(
            f"the file of corpus {corpus.name!r} cannot be read: {error}"
        ) from error
    documents = []
    for number, line in enumerate(text.split("\n"), 1):
        document = line.strip()
        if len(document) > model.max_characters:
            raise InferenceFailed(
                f"corpus {corpus.name!r}: its document in line {number} must have "
                f"{model.max_characters} characters at most, but has {len(document)}"
            )
        if document:
            documents.append(document)
    if len(documents) > corpus.max_documents:
        raise InferenceFailed(
            f"corpus {corpus.name!r} must have {corpus.max_documents} documents at most, "
            f"but has {len(documents)}"
        )
    return documents


def _stamp(corpus: Corpus) -> tuple[int, int]:
    try:
        found = corpus.path.stat()
    except OSError as error:
        raise InferenceFailed(
            f"the file of corpus {corpus.name!r} cannot be read: {error}"
        ) from error
    return found.st_mtime_ns, found.st_size
