"""`/api/search`: the documents that are nearest to a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.gateway.api.call import Call
from tritonkit.gateway.api.corpora import Corpora
from tritonkit.gateway.api.documented import ASKED, MARKS, listed, obj, operation, text
from tritonkit.gateway.api.embed import traced
from tritonkit.gateway.api.embedder import Embedder
from tritonkit.gateway.api.entrance import Reply
from tritonkit.gateway.api.fields import Fields, wrong
from tritonkit.gateway.api.vectors import nearest, unit

__all__ = ["PATHS", "Search"]

_TOP = 10
_MOST = 1_000


class Search:
    """
    Args:
        embedder: Of the models that callers may name.
        corpora: That they may search in.
    """

    def __init__(self, embedder: Embedder, corpora: Corpora) -> None:
        self._embedder = embedder
        self._corpora = corpora

    async def search(self, call: Call) -> Reply:
        """In documents that come with the query, or in a corpus."""
        fields = Fields(call.document, ("query", "documents", "corpus", "model", "top", "texts"))
        if ("documents" in fields) == ("corpus" in fields):
            raise wrong("the body needs 'documents' or 'corpus', and not both")
        top = fields.whole("top", _TOP, least=1, most=_MOST)
        with_texts = fields.flag("texts", True)
        if "corpus" in fields:
            return await self._in_corpus(call, fields, top, with_texts)
        model = self._embedder.model(fields.text("model", ""))
        call.model = model.name
        query = fields.text("query", most=model.max_characters)
        documents = fields.texts(
            "documents", most=max(model.max_texts - 1, 0), longest=model.max_characters
        )
        call.count_rows(1 + len(documents))
        found = await self._embedder.embed(call, model, [query, *documents])
        vectors = unit(found.vectors)
        order, scores = nearest(vectors[0], vectors[1:], top)
        return _reply(call, model.name, found.version, documents, order, scores, with_texts)

    async def _in_corpus(self, call: Call, fields: Fields, top: int, with_texts: bool) -> Reply:
        if "model" in fields:
            raise wrong("'model' goes with 'documents'; a corpus has its own")
        corpus = self._corpora.corpus(fields.text("corpus"))
        model = self._embedder.model(corpus.model)
        call.model = model.name
        query = fields.text("query", most=model.max_characters)
        call.count_rows(1)
        found = await self._embedder.embed(call, model, [query])
        held = await self._corpora.held(call, corpus, found.version)
        vector = unit(found.vectors)[0]
        if held.documents and held.vectors.shape[1] != len(vector):
            raise wrong(
                f"corpus {corpus.name!r} was embedded in {held.vectors.shape[1]} dimensions, and "
                f"the query in {len(vector)}: the model is being changed; ask again later",
                status=503,
            )
        vectors = held.vectors if held.documents else np.zeros((0, len(vector)), np.float32)
        order, scores = nearest(vector, vectors, top)
        return _reply(call, model.name, found.version, held.documents, order, scores, with_texts)


def _reply(
    call: Call,
    model: str,
    version: str,
    documents: Sequence[str],
    order: NDArray[np.intp],
    scores: NDArray[np.float64],
    with_texts: bool,
) -> Reply:
    results: list[dict[str, Any]] = []
    for index, score in zip(order.tolist(), scores.tolist(), strict=True):
        text = {"document": documents[index]} if with_texts else {}
        results.append({"index": index, "score": score, **text})
    return Reply({"model": model, "version": version, "results": results, **traced(call)})


_QUERY = {"query": text()}
_MORE = {
    "top": {"type": "integer", "minimum": 1, "maximum": _MOST, "default": _TOP},
    "texts": {
        "type": "boolean",
        "default": True,
        "description": "Whether results have the documents themselves.",
    },
}

PATHS = {
    "/api/search": {
        "post": operation(
            "search",
            "The documents that are nearest to a query",
            "infer",
            {
                "200": (
                    "The nearest first; of equal ones the first document.",
                    obj(
                        {
                            "model": text(),
                            "version": text(),
                            "results": listed(
                                obj(
                                    {
                                        "index": {"type": "integer", "minimum": 0},
                                        "score": {"type": "number", "minimum": -1, "maximum": 1},
                                    },
                                    {"document": text()},
                                )
                            ),
                        },
                        {"trace": {"$ref": "#/components/schemas/Trace"}},
                    ),
                )
            },
            body={
                "oneOf": [
                    obj(
                        {**_QUERY, "documents": listed(text(), minItems=1)},
                        {"model": text("Of `[gateway.models]`."), **_MORE},
                    ),
                    obj({**_QUERY, "corpus": text("Of `[gateway.corpora]`.")}, _MORE),
                ]
            },
            parameters=MARKS,
            refusals=ASKED,
        )
    }
}
"""For the OpenAPI document."""
