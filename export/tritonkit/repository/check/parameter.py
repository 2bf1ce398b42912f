"""The `parameters` of a model configuration: strings by name."""

from __future__ import annotations

import re

from tritonkit.repository.config import ModelConfig

__all__ = ["TRUTHS", "parameter", "read_boolean", "read_integer"]

TRUTHS = ("enable_mem_arena", "enable_mem_pattern", "share_session_between_instances")
"""The parameters of the onnxruntime backend that are true or false."""

_INTEGER = re.compile(r"\s*([+-]?)([0-9]+)", re.ASCII)
_LONGEST = 20
_BOOLEANS = {
    **dict.fromkeys(("true", "on", "1"), True),
    **dict.fromkeys(("false", "off", "0"), False),
}


def parameter(config: ModelConfig, name: str) -> str | None:
    """The value of a parameter; None where it is not given. Asking does not make one."""
    if name not in config.parameters:
        return None
    return str(config.parameters[name].string_value)


def read_integer(value: str) -> int | None:
    """
    As a backend reads it: what follows the digits is ignored. None where there are none.

    Of more than 20 digits it is the first 20, which are above what any backend takes.
    """
    match = _INTEGER.match(value)
    if match is None:
        return None
    return int(f"{match[1]}{match[2].lstrip('0')[:_LONGEST] or 0}")


def read_boolean(value: str) -> bool | None:
    """As a backend reads it; None where it is neither."""
    return _BOOLEANS.get(value.lower())
