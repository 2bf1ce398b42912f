"""Which requests are copied."""

from __future__ import annotations

import hashlib
from random import Random

from tritonkit.client.types import InferRequest

__all__ = ["Sampling", "copyable", "unit_interval"]


def unit_interval(*fields: str) -> float:
    """
    A number from 0 to below 1 that depends on the texts alone, in every process and language.

    The first 8 bytes of SHA-256 over the fields, each with its length in UTF-8 before it as
    8 bytes, little-endian; as an unsigned big-endian integer, its upper 53 bits over 2**53.
    """
    parts = [field.encode("utf-8", "surrogatepass") for field in fields]
    data = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    return (int.from_bytes(hashlib.sha256(data).digest()[:8], "big") >> 11) / 2.0**53


class Sampling:
    """
    A share of the requests.

    Args:
        share: 0 to 1.
        by: The tag whose value decides, always alike; requests without it are left out. By
            chance where empty.
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
        return value is not None and unit_interval("shadow", self._salt, str(value)) < self.share


def copyable(request: InferRequest) -> bool:
    """
    Whether a copy means anything.

    Not of what nobody waits for, which may be a copy itself; nor of what no server
    is to get; nor of a sequence, whose state is on one server.
    """
    unsent = request.only_kept or request.unchecked
    return not (unsent or request.in_sequence or request.priority in ("shadow", "refresh"))
