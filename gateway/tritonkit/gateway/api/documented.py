"""Pieces of the OpenAPI document, for the routes to describe themselves with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

__all__ = ["ASKED", "MARKS", "Schema", "error", "listed", "obj", "operation", "text"]

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema of draft 2020-12, as OpenAPI 3.1 has them."""

_REFUSALS: Mapping[str, str] = {
    "400": "The request makes no sense; the error says what would.",
    "401": "No bearer token, or none that is known.",
    "403": "The tenant has not the right.",
    "404": "There is nothing of that name.",
    "413": "Too long, or more rows than may ever be asked for at once.",
    "429": "A limit or a budget is used up; Retry-After says until when, where one knows.",
    "500": "The model failed, or gave what is no answer.",
    "501": "The policy has no place for it.",
    "502": "A server broke off its answer.",
    "503": "No server answers now, or too much is in flight.",
    "504": "The time ran out.",
}


ASKED = ("400", "401", "403", "404", "413", "429", "500", "502", "503", "504")
"""Statuses of a question for a model that has no answer."""

MARKS: tuple[Schema, ...] = (
    {
        "name": "X-Tritonkit-Tags",
        "in": "header",
        "description": "What layers decide by, such as `user=u17, plan=free`.",
        "schema": {"type": "string", "maxLength": 2048},
    },
    {
        "name": "X-Tritonkit-Priority",
        "in": "header",
        "schema": {"type": "string", "enum": ["live", "batch"]},
    },
    {
        "name": "X-Tritonkit-Timeout",
        "in": "header",
        "description": "The longest that it may take, such as `80ms`.",
        "schema": {"type": "string"},
    },
)
"""Headers that every question for a model may have."""


def text(about: str = "", **more: Any) -> Schema:
    """A text."""
    return {"type": "string", **({"description": about} if about else {}), **more}


def listed(items: Schema, about: str = "", **more: Any) -> Schema:
    """A list."""
    return {
        "type": "array", "items": items, **({"description": about} if about else {}), **more
    }  # fmt: skip


def obj(needed: Mapping[str, Schema], also: Mapping[str, Schema] | None = None) -> Schema:
    """An object with fields that it must have, and others that it may have."""
    return {
        "type": "object",
        "properties": {**needed, **(also or {})},
        "required": list(needed),
        "additionalProperties": False,
    }


def error() -> Schema:
    """What every refusal says."""
    return {"$ref": "#/components/schemas/Error"}


def operation(
    id: str,
    summary: str,
    right: str,
    answers: Mapping[str, tuple[str, Schema]],
    *,
    body: Schema | None = None,
    parameters: Sequence[Schema] = (),
    refusals: Sequence[str] = ("400", "401", "403", "429"),
) -> Schema:
    """
    An operation on a path.

    Args:
        id: Its name.
        summary: In one line.
        right: That a tenant needs.
        answers: By status, what it means and its schema.
        body: Schema of the request, where it has one.
        parameters: In path, query and headers.
        refusals: Statuses with an error.
    """
    found: Schema = {
        "operationId": id,
        "summary": summary,
        "description": f"Needs the right `{right}`.",
        "parameters": list(parameters),
        "responses": {
            **{
                status: {"description": about, "content": {"application/json": {"schema": schema}}}
                for status, (about, schema) in answers.items()
            },
            **{
                status: {
                    "description": _REFUSALS[status],
                    "content": {"application/json": {"schema": error()}},
                }
                for status in refusals
            },
        },
    }
    if body is not None:
        content = {"application/json": {"schema": body}}
        found["requestBody"] = {"required": True, "content": content}
    return found
