"""Triton's releases, as its containers are tagged."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tritonkit.errors import RepositoryError

__all__ = ["EMBEDDED", "Release"]

_TAG = re.compile(r"(\d{2})\.(0[1-9]|1[0-2])(?:-py3(?:-[\w-]+)?)?", re.ASCII)
_SERVER = re.compile(r"2\.(\d{2})(?:\.\d+)?", re.ASCII)
# From 23.01 to 25.06 a minor version of the server came out each month.
_FIRST, _LAST = 30, 59


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
        Read a container's tag, or the version of the server in it: "24.10" or "2.51.0".

        Raises:
            RepositoryError: If *text* is neither, or a version whose container is not
                known here: those of 2.30 to 2.59 are.
        """
        server = _SERVER.fullmatch(text)
        if server is not None and _FIRST <= int(server[1]) <= _LAST:
            months = int(server[1]) - _FIRST
            return cls(23 + months // 12, 1 + months % 12)
        match = _TAG.fullmatch(text)
        if match is None:
            raise RepositoryError(
                "a release of Triton is a year and a month such as 24.10, or the version of its "
                f"server from 2.{_FIRST} to 2.{_LAST}, but got {text!r}."
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year:02}.{self.month:02}"


EMBEDDED = Release(24, 10)
"""The release that the embedded server is of: Triton 2.51."""
