"""The Starlette app of everything that is not Triton's protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tritonkit.extras import require
from tritonkit.gateway.http.asgi import AsgiApp

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

__all__ = ["starlette_app"]


def starlette_app(*parts: Sequence[BaseRoute]) -> AsgiApp:
    """
    Routes of the parts, as one app.

    Args:
        parts: The routes of each.
    """
    applications = require("starlette.applications", extra="gateway")
    exceptions = require("starlette.exceptions", extra="gateway")
    app: AsgiApp = applications.Starlette(
        routes=[route for part in parts for route in part],
        exception_handlers={exceptions.HTTPException: _refused},
    )
    return app


def _refused(request: Request, error: Exception) -> Response:
    """What no route takes, in the form of all errors."""
    responses = require("starlette.responses", extra="gateway")
    # Of the exception above.
    status, headers = getattr(error, "status_code", 500), getattr(error, "headers", None)
    said = {404: "there is nothing at this path", 405: "the path takes another method"}
    message = said.get(status) or str(getattr(error, "detail", ""))
    made: Response = responses.JSONResponse({"error": message}, status, headers=headers)
    return made
