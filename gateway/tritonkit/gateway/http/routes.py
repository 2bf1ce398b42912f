"""The Starlette app of everything that is not Triton's protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tritonkit.extras import require
from tritonkit.gateway.config.config import GatewayConfig
from tritonkit.gateway.http.asgi import AsgiApp
from tritonkit.gateway.serving import Serving

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

__all__ = ["starlette_app"]


def starlette_app(serving: Serving, config: GatewayConfig) -> AsgiApp:
    """Routes of the parts, as one app."""
    applications = require("starlette.applications", extra="gateway")
    routes: list[BaseRoute] = []
    app: AsgiApp = applications.Starlette(routes=routes)
    return app
