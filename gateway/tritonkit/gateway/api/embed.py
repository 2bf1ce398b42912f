"""`/api/embed` and `/api/similarity`: texts in, numbers out."""

from __future__ import annotations

from typing import Any

from tritonkit.gateway.api.call import Call
from tritonkit.gateway.api.documented import ASKED, MARKS, listed, obj, operation, text
from tritonkit.gateway.api.embedder import Embedder
from tritonkit.gateway.api.entrance import Reply
from tritonkit.gateway.api.fields import Fields, wrong
from tritonkit.gateway.api.traced import plain
from tritonkit.gateway.api.vectors import base64_of, cosines, decimals
from tritonkit.gateway.api.writing import LONG
from tritonkit.gateway.http.aside import aside

__all__ = ["PATHS", "Embed", "traced"]


class Embed:
    """
    Args:
        embedder: Of the models that callers may name.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def embed(self, call: Call) -> Reply:
        """Vectors of texts."""
        fields = Fields(call.document, ("model", "texts", "encoding"))
        model = self._embedder.model(fields.text("model", ""))
        call.model = model.name
        texts = fields.texts("texts", most=model.max_texts, longest=model.max_characters)
        encoding = fields.choice("encoding", ("float", "base64"))
        call.count_rows(len(texts))
        found = await self._embedder.embed(call, model, texts)
        write = base64_of if encoding == "base64" else decimals
        long = found.vectors.size > LONG
        return Reply(
            {
                "model": model.name,
                "version": found.version,
                "dimensions": found.vectors.shape[1],
                "embeddings": await aside(write, found.vectors) if long else write(found.vectors),
                **traced(call),
            },
            long=long,
        )

    async def similarity(self, call: Call) -> Reply:
        """Cosines of one pair of texts, or of many."""
        fields = Fields(call.document, ("model", "a", "b"))
        model = self._embedder.model(fields.text("model", ""))
        call.model = model.name
        most, longest = model.max_texts, model.max_characters
        sides = []
        for name in ("a", "b"):
            if isinstance(fields.any(name), list):
                sides.append(fields.texts(name, most=most, longest=longest))
            else:
                sides.append([fields.text(name, most=longest)])
        first, second = sides
        if len(first) != len(second) and 1 not in (len(first), len(second)):
            raise wrong(
                "'a' and 'b' must be texts, or lists of the same length, or one of each, "
                f"but got {len(first)} and {len(second)}"
            )
        if len(first) + len(second) > most:
            raise wrong(
                f"'a' and 'b' must have {most} texts at most together, "
                f"but got {len(first) + len(second)}",
                status=413,
            )
        call.count_rows(len(first) + len(second))
        found = await self._embedder.embed(call, model, [*first, *second])
        here, there = found.vectors[: len(first)], found.vectors[len(first) :]
        if len(here) < len(there):
            here, there = there, here
        values = [float(value) for value in cosines(here, there)]
        single = not any(isinstance(fields.any(name), list) for name in ("a", "b"))
        result: dict[str, Any] = {"similarity": values[0]} if single else {"similarities": values}
        return Reply({"model": model.name, "version": found.version, **result, **traced(call)})


def traced(call: Call) -> dict[str, Any]:
    """The trace, for a tenant that may see it."""
    return {"trace": plain(call.trace, call.rows)} if call.tenant.trace else {}


_TRACE = {"trace": {"$ref": "#/components/schemas/Trace"}}
_COSINE = {"type": "number", "minimum": -1, "maximum": 1}
_SIDE = {"oneOf": [text(), listed(text(), minItems=1)]}
_MODEL = text("Of `[gateway.models]`; may be left out where there is one.")

PATHS = {
    "/api/embed": {
        "post": operation(
            "embed",
            "Embeddings of texts",
            "infer",
            {
                "200": (
                    "A vector for each text, in their order.",
                    obj(
                        {
                            "model": text(),
                            "version": text("That answered."),
                            "dimensions": {"type": "integer", "minimum": 1},
                            "embeddings": listed(
                                {
                                    "oneOf": [
                                        listed({"type": "number"}),
                                        text("Base64 of float32 values, little-endian."),
                                    ]
                                }
                            ),
                        },
                        _TRACE,
                    ),
                )
            },
            body=obj(
                {"texts": listed(text(), minItems=1)},
                {"model": _MODEL, "encoding": text(enum=["float", "base64"])},
            ),
            parameters=MARKS,
            refusals=ASKED,
        )
    },
    "/api/similarity": {
        "post": operation(
            "similarity",
            "Cosine similarity of texts, pair by pair",
            "infer",
            {
                "200": (
                    "One number for a pair of texts, a list for lists.",
                    {
                        "oneOf": [
                            obj({"model": text(), "version": text(), name: schema}, _TRACE)
                            for name, schema in (
                                ("similarity", _COSINE),
                                ("similarities", listed(_COSINE)),
                            )
                        ]
                    },
                )
            },
            body=obj({"a": _SIDE, "b": _SIDE}, {"model": _MODEL}),
            parameters=MARKS,
            refusals=ASKED,
        )
    },
}
"""For the OpenAPI document."""
