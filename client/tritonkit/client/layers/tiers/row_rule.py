"""A rule that reads the rows of a request."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from tritonkit.client.types import InferRequest
from tritonkit.errors import ConfigError

__all__ = ["Otherwise", "RowRule"]

Otherwise: TypeAlias = Literal["dear", "simple"]
"""What a request counts as that a rule cannot read."""

_log = logging.getLogger(__name__)


class RowRule(ABC):
    """
    Whether each row of a request is dear, as far as it can be read.

    A request that has not what the rule reads is no reason to leave its caller
    without an answer: it counts as *otherwise*, and the first one is logged.

    Args:
        otherwise: "dear" by default: the better route is never wrong.

    Raises:
        ConfigError: If otherwise is neither.
    """

    reads = ""
    """What it looks for, for people."""

    def __init__(self, otherwise: Otherwise = "dear") -> None:
        if otherwise not in get_args(Otherwise):
            raise ConfigError(f"otherwise must be dear or simple, but got {otherwise!r}.")
        self.otherwise = otherwise
        self._warned = False

    def __call__(self, request: InferRequest) -> Sequence[bool] | bool:
        """Whether each row is dear, or the whole request."""
        verdicts = self.verdicts(request)
        if verdicts is not None:
            return verdicts
        if not self._warned:
            self._warned = True
            _log.warning(
                "%s reads %s, but %r was sent %s; such requests count as %s",
                type(self).__name__,
                self.reads,
                request.model,
                sorted(request.inputs),
                self.otherwise,
            )
        return self.otherwise == "dear"

    @abstractmethod
    def verdicts(self, request: InferRequest) -> Sequence[bool] | bool | None:
        """Whether each row is dear, or the whole request; None where it cannot be read."""


def options(**given: object) -> str:
    """Those that are not left out, as Python writes them."""
    return ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
