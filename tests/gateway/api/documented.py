"""What the OpenAPI document promises of an answer, checked."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from tritonkit.gateway.api.openapi import document

if TYPE_CHECKING:
    from tests.gateway.api.conftest import Said

__all__ = ["check", "validator"]


@cache
def validator(schema: str) -> Draft202012Validator:
    """Of a schema in the document, as JSON."""
    made = {**json.loads(schema), "components": document()["components"]}
    return Draft202012Validator(made)


def check(method: str, path: str, said: Said) -> None:
    """Whether the document has such an answer."""
    answers: dict[str, Any] = document()["paths"][path][method]["responses"]
    assert str(said.status) in answers, (path, said)
    schema = answers[str(said.status)]["content"]["application/json"]["schema"]
    validator(json.dumps(schema)).validate(said.json)
