"""Which requests are copied."""

from __future__ import annotations

from random import Random

from tritonkit.client.experiments.events import is_text
from tritonkit.client.layers.split.assignment import uniform
from tritonkit.client.types import InferRequest

__all__ = ["Sampling", "copyable"]


class Sampling:
    """
    A share of the requests.

    Args:
        share: 0 to 1.
        by: The tag whose value decides, by the hash of `Split`, so alike in every process;
            requests without it are left out. By chance where empty.
        salt: Shadows with different salts choose independently of each other.
        random: What chance is drawn from.
    """

    def __init__(self, share: float, *, by: str, salt: str, random: Random) -> None:
        self.share, self.by = share, by
        self._salt = salt
        self._random = random

    def __call__(self, request: InferRequest) -> bool:
        """Whether *request* is one of them."""
        if not self.by:
            return self.share > 0 and self._random.random() < self.share
        value = request.tags.get(self.by)
        return is_text(value) and uniform("shadow", self._salt, str(value)) < self.share


def copyable(request: InferRequest) -> bool:
    """
    Whether a copy means anything.

    Not of what nobody waits for, which may be a copy itself; nor of what no server
    is to get; nor of a sequence, whose state is on one server.
    """
    unsent = request.only_kept or request.unchecked
    return not (unsent or request.in_sequence or request.priority in ("shadow", "refresh"))
