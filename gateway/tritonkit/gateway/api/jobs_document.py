"""`/api/jobs` in the OpenAPI document."""

from __future__ import annotations

from tritonkit.client.wire.datatypes import DATATYPES
from tritonkit.gateway.api.documented import ASKED, MARKS, Schema, listed, obj, operation, text

__all__ = ["PATHS"]

_SHAPE = listed({"type": "integer", "minimum": 0})
_ID = text(pattern="^[0-9a-f]{32}$")

_TENSOR = obj(
    {
        "name": text(),
        "shape": _SHAPE,
        "datatype": text(enum=list(DATATYPES)),
        "data": {"description": "Nested by the shape, or flat."},
    }
)
_OUTPUT = obj(
    {"name": text(), "datatype": text(), "shape": _SHAPE, "data": listed({})},
    {"parameters": {"type": "object", "description": "`encoding`: base64, where it is that."}},
)
_JOB = obj(
    {"id": _ID, "state": text(enum=["running", "done", "failed", "lost"])},
    {
        "result": obj(
            {"model_name": text(), "model_version": text(), "outputs": listed(_OUTPUT)},
            {"id": text()},
        ),
        "trace": {"$ref": "#/components/schemas/Trace"},
        "error": text("Why it failed or was lost."),
        "kind": text("The error's class."),
        "status": {"type": "integer", "description": "That the request would have had."},
    },
)

PATHS: Schema = {
    "/api/jobs": {
        "post": operation(
            "submit",
            "Begin an inference whose answer is fetched later",
            "jobs",
            {
                "202": (
                    "Begun.",
                    obj({"id": _ID, "state": text(enum=["running"]), "url": text()}),
                )
            },
            body=obj(
                {
                    "model": text(minLength=1),
                    "inputs": {
                        "oneOf": [
                            {
                                "type": "object",
                                "minProperties": 1,
                                "description": 'By name, such as {"text": ["a", "b"]}.',
                            },
                            listed(_TENSOR, minItems=1),
                        ]
                    },
                },
                {
                    "version": text("Of the model, such as `3`.", pattern="^[0-9]*$"),
                    "outputs": listed(text(), minItems=1),
                    "parameters": {
                        "type": "object",
                        "additionalProperties": {"type": ["string", "number", "boolean"]},
                    },
                    "priority": text(enum=["batch", "live"]),
                    "timeout": text("For the whole job, such as `5m`."),
                    "id": text("Handed back with the answer."),
                },
            ),
            parameters=MARKS,
            refusals=(*ASKED, "501"),
        )
    },
    "/api/jobs/{id}": {
        "get": operation(
            "job",
            "How a job is, and its answer",
            "jobs",
            {"200": ("Of a job of this tenant.", _JOB)},
            parameters=(
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                {
                    "name": "wait",
                    "in": "query",
                    "description": "How long to wait for its end, such as `10s`.",
                    "schema": {"type": "string", "default": "0s"},
                },
            ),
            refusals=("400", "401", "403", "404", "429", "503", "504"),
        )
    },
}
"""For the OpenAPI document."""
