"""The OpenAPI document is one, and it is of the routes that there are."""

from __future__ import annotations

import json
import re
from typing import Any

from jsonschema import Draft202012Validator
from tests.gateway.api.documented import validator

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.gateway.api.api import Api
from tritonkit.gateway.api.metrics.exposition import Exposition
from tritonkit.gateway.api.metrics.traffic import Traffic
from tritonkit.gateway.api.openapi import document
from tritonkit.gateway.api.settings import ApiSettings
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.tenants import Tenants

TEXT = {"type": "string", "minLength": 1}
SCHEMA = {"type": ["object", "boolean"]}
CONTENT = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {
        "type": "object", "required": ["schema"], "properties": {"schema": SCHEMA},
        "additionalProperties": False,
    },
}  # fmt: skip
PARAMETER = {
    "type": "object",
    "required": ["name", "in", "schema"],
    "properties": {
        "name": TEXT, "in": {"enum": ["path", "query", "header"]}, "description": TEXT,
        "required": {"type": "boolean"}, "schema": SCHEMA,
    },
    "additionalProperties": False,
    "if": {"properties": {"in": {"const": "path"}}},
    "then": {"properties": {"required": {"const": True}}, "required": ["required"]},
}  # fmt: skip
OPERATION = {
    "type": "object",
    "required": ["operationId", "summary", "responses"],
    "properties": {
        "operationId": TEXT,
        "summary": TEXT,
        "description": TEXT,
        "parameters": {"type": "array", "items": PARAMETER},
        "requestBody": {
            "type": "object", "required": ["content"], "additionalProperties": False,
            "properties": {"content": CONTENT, "required": {"type": "boolean"}},
        },
        "responses": {
            "type": "object",
            "propertyNames": {"pattern": "^[1-5][0-9][0-9]$"},
            "additionalProperties": {
                "type": "object", "required": ["description"], "additionalProperties": False,
                "properties": {"description": TEXT, "content": CONTENT},
            },
        },
    },
    "additionalProperties": False,
}  # fmt: skip
OPENAPI = {
    "type": "object",
    "required": ["openapi", "info", "paths"],
    "properties": {
        "openapi": {"pattern": r"^3\.1\.\d+$"},
        "info": {"type": "object", "required": ["title", "version"]},
        "security": {"type": "array"},
        "paths": {
            "type": "object",
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "type": "object",
                "propertyNames": {"enum": ["get", "post", "delete"]},
                "additionalProperties": OPERATION,
            },
        },
        "components": {
            "type": "object",
            "properties": {
                "schemas": {"type": "object", "additionalProperties": SCHEMA},
                "securitySchemes": {"type": "object"},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
"""Those parts of OpenAPI 3.1 that the document uses, as its specification has them."""


def schemas(value: Any) -> list[Any]:
    found = [*value["components"]["schemas"].values()]
    for path in value["paths"].values():
        for operation in path.values():
            found += [each["schema"] for each in operation.get("parameters", ())]
            contents = [each["content"] for each in operation["responses"].values()]
            contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
            found += [kind["schema"] for content in contents for kind in content.values()]
    return found


def test_it_is_a_document_of_openapi() -> None:
    made = document()
    Draft202012Validator(OPENAPI).validate(made)
    assert json.loads(json.dumps(made)) == made
    for schema in schemas(made):
        Draft202012Validator.check_schema(schema)
    for name in re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(made)):
        assert name in made["components"]["schemas"]
    ids = [each["operationId"] for path in made["paths"].values() for each in path.values()]
    assert len(ids) == len(set(ids))


async def test_it_has_every_route_and_no_other() -> None:
    telemetry = Telemetry()
    async with AsyncClient("http://127.0.0.1:9", [telemetry]) as client:
        serving = Serving(client=client, telemetry=telemetry)
        traffic = Traffic()
        api = Api(serving, Tenants(), ApiSettings(), traffic, Exposition(serving, traffic))
        routes = {
            (route.path, method.lower())
            for route in api.routes
            for method in route.methods or ()
            if method != "HEAD" and route.path != "/api/openapi.json"
        }
        await api.aclose()
    documented = {(path, method) for path, each in document()["paths"].items() for method in each}
    assert documented == routes


def test_requests_that_the_guide_shows_fit_their_schemas() -> None:
    bodies = {
        "/api/embed": [{"texts": ["a"]}, {"model": "m", "texts": ["a"], "encoding": "base64"}],
        "/api/similarity": [{"a": "x", "b": "y"}, {"a": ["x"], "b": ["y"]}],
        "/api/search": [
            {"query": "x", "documents": ["a"], "top": 3},
            {"query": "x", "corpus": "f"},
        ],
        "/api/jobs": [
            {"model": "m", "inputs": {"text": ["a"]}},
            {"model": "m", "inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": 1}]},
        ],
        "/api/outcomes": [
            {"answer": "", "name": "x", "value": 1},
            {"outcomes": [{"answer": "", "name": "x", "value": 1, "at": 2}]},
        ],
    }
    for path, examples in bodies.items():
        body = document()["paths"][path]["post"]["requestBody"]["content"]
        check = validator(json.dumps(body["application/json"]["schema"]))
        for example in examples:
            check.validate(example)
        assert not check.is_valid({})
        assert not check.is_valid([])
