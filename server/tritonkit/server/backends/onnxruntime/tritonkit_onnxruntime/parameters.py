"""The `parameters` of a model configuration: strings, read as C++ reads them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import LoadError

__all__ = ["Parameters", "misspelled"]

_INTEGER = re.compile(r"\s*([+-]?[0-9]+)", re.ASCII)
_BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("true", "on", "1"), True),
    **dict.fromkeys(("false", "off", "0"), False),
}

KNOWN = (
    "arena_extend_strategy",
    "cudnn_conv_algo_search",
    "do_copy_in_default_stream",
    "enable_mem_arena",
    "enable_mem_pattern",
    "execution_mode",
    "gpu_mem_limit",
    "inter_op_thread_count",
    "intra_op_thread_count",
    "memory.enable_memory_arena_shrinkage",
    "session.force_spinning_stop",
    "session.inter_op.allow_spinning",
    "session.intra_op.allow_spinning",
    "session.use_device_allocator_for_initializers",
    "share_session_between_instances",
)
"""The parameters that NVIDIA's backend reads, and three session config entries that this
one takes beside them. Those for CUDA and `share_session_between_instances` have no
effect here: an instance is a process."""


class Parameters:
    """
    The parameters of one model configuration.

    Args:
        config: The model configuration, as Triton hands it to a backend.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._values = {
            name: value.get("string_value", "")
            for name, value in config.get("parameters", {}).items()
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def text(self, name: str) -> str | None:
        """The value, None where it is not given."""
        return self._values.get(name)

    def integer(self, name: str, default: int = 0) -> int:
        """The value; what follows the digits is ignored, as std::stoi does."""
        value = self.text(name)
        if value is None:
            return default
        match = _INTEGER.match(value)
        if match is None:
            raise LoadError(f"failed to convert '{value}' to integral number")
        return int(match[1])

    def boolean(self, name: str) -> bool | None:
        """The value, None where it is not given."""
        value = self.text(name)
        if value is None:
            return None
        if value.lower() not in _BOOLEANS:
            raise LoadError(f"failed to convert '{value}' to boolean")
        return _BOOLEANS[value.lower()]


def misspelled(parameters: Parameters) -> Iterator[str]:
    """A warning for each parameter that looks like a known one, and is not."""
    for name in parameters:
        close = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.8)
        if name not in KNOWN and close:
            yield f"parameter '{name}' is not read; did you mean '{close[0]}'?"
