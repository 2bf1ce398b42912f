"""Click parameter types for quantities with units, shared by every command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration, parse_range, parse_share, parse_size

__all__ = ["DURATION", "RANGE", "SHARE", "SIZE"]


class _Quantity(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks only
    def __init__(self, name: str, parse: Callable[..., Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value, name=self.name)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


DURATION = _Quantity("duration", parse_duration)
"""Seconds as float, from "500us", "10s", "24h"."""

SIZE = _Quantity("size", parse_size)
"""Bytes as int, from "64MB"."""

SHARE = _Quantity("share", parse_share)
"""0 to 1, from "1%" or "0.01"."""

RANGE = _Quantity("range", parse_range)
"""A tuple of whole numbers, from "8", "1,4,16", "1:64:*2"."""
