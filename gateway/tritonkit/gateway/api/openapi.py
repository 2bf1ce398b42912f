"""`/api/openapi.json`: what the routes say of themselves."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from tritonkit.gateway.api import embed, jobs_document, outcomes, search
from tritonkit.gateway.api.documented import Schema, error, obj, text

__all__ = ["document"]

_COUNT = {"type": "integer", "minimum": 0}

_TRACE = obj(
    {
        "tier": text("The route that answered; several joined by commas."),
        "origins": {
            "type": "object",
            "description": "Rows by where they came from: memory, redis, model and so on.",
            "additionalProperties": _COUNT,
        },
        "attempts": _COUNT,
        "cost": {**_COUNT, "description": "In millionths of the budget's unit."},
        "degraded": text("Why it is less than what was asked for; empty where it is not."),
    },
    {
        "answer": text("By what its outcome is recorded."),
        "arms": {
            "type": "object",
            "description": "The arm of each experiment.",
            "additionalProperties": {"type": "string"},
        },
    },
)

_METRICS: Schema = {
    "/metrics": {
        "get": {
            "operationId": "metrics",
            "summary": "What all workers counted, as Prometheus reads it",
            "description": "Needs the right `metrics`.",
            "responses": {
                "200": {
                    "description": "Text, or OpenMetrics where it is asked for.",
                    "content": {
                        kind: {"schema": {"type": "string"}}
                        for kind in ("text/plain", "application/openmetrics-text")
                    },
                },
                **{
                    status: {
                        "description": "Not let in.",
                        "content": {"application/json": {"schema": error()}},
                    }
                    for status in ("401", "403")
                },
            },
        }
    }
}


def document() -> Schema:
    """The document, in OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tritonkit gateway",
            "version": _version(),
            "description": "Routes beside Triton's own protocol, which is under /v2.",
        },
        "security": [{"token": []}, {}],
        "paths": {
            **embed.PATHS,
            **search.PATHS,
            **jobs_document.PATHS,
            **outcomes.PATHS,
            **_METRICS,
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": obj({"error": text()}), "Trace": _TRACE},
        },
    }


def _version() -> str:
    try:
        return version("tritonkit")
    except PackageNotFoundError:
        # Run from a checkout that is not installed.
        return "0"
