"""Triton's releases, as its containers are tagged."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tritonkit.errors import RepositoryError

__all__ = ["EMBEDDED", "Release"]

_TAG = re.compile(r"(\d{2})\.(0[1-9]|1[0-2])")


@dataclass(frozen=True, order=True, slots=True)
class Release:
    """
    A release, such as 24.10.

    Args:
        year: Of this century, such as 24.
        month: 1 to 12.
    """

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Release:
        """
        Read a container's tag.

        Raises:
            RepositoryError: If *text* is no such tag.
        """
        match = _TAG.fullmatch(text)
        if match is None:
            raise RepositoryError(
                f"a release of Triton is a year and a month such as 24.10, but got {text!r}."
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year:02}.{self.month:02}"


EMBEDDED = Release(24, 10)
"""The release that the embedded server is of: Triton 2.51."""
