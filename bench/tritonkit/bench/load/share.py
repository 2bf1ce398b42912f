"""What one process or one machine of several issues."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from tritonkit.bench.schedule.chunks import every, every_turned
from tritonkit.errors import ConfigError

__all__ = ["Share"]


@dataclass(frozen=True, slots=True)
class Share:
    """
    One part of equal ones.

    Args:
        number: From 0.
        of: How many there are.
    """

    number: int = 0
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read "0/8", the first of eight.

        Raises:
            ConfigError: If it is something else.
        """
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal() and int(number) < int(of)):
            raise ConfigError(
                f"a shard is K/N with K from 0 to N - 1, such as 0/8 to 7/8, but got {text!r}."
            )
        return cls(int(number), int(of))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def even(self, whole: int, name: str) -> int:
        """
        A part of what all parts have equally much of.

        Raises:
            ConfigError: If it does not go up.
        """
        if whole % self.of:
            raise ConfigError(
                f"{name} {whole} cannot be shared evenly by {self.of} shards; "
                f"give a multiple of {self.of}."
            )
        return whole // self.of

    def part(self, whole: int) -> int:
        """Of so many slots or requests; the first parts have one more where it does not go up."""
        return whole // self.of + (self.number < whole % self.of)

    def thinned(self, chunks: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """Every so manieth arrival or item, so that all parts together are all of them."""
        return every(chunks, self.of, self.number)

    def turned(self, chunks: Iterator[NDArray[Any]], items: int) -> Iterator[NDArray[Any]]:
        """Likewise, with each item of an order in turn equally often in every part."""
        return every_turned(chunks, self.of, self.number, items)
