"""
Which arm a unit is assigned to: a function of names and weights, with no state.

    hash(f1, ..., fn) = first 8 bytes of SHA-256 over the fields, as an unsigned
                        integer, the greatest byte first; each field in UTF-8 after the
                        number of its bytes as 4 bytes
    u(f1, ..., fn)    = (floor(hash / 2**12) + 0.5) / 2**52, in (0, 1)

    held out          if u("holdout", group, unit) < holdout
    in the range      if start <= u("group", group, unit) < end
    exposed           if u("exposure", salt, experiment, unit) < share
    the arm           that with the greatest -weight / ln u("arm", salt, experiment, arm, unit)

Of arms with the same score it is the one whose name comes first; an arm without weight
gets nobody. The guide `docs/guides/experiments-assignment.md` says the same for readers of
other languages, with vectors to test against.

Every score depends on one arm alone, so a unit moves only where it must: into an arm
that gains weight, or out of one that loses it (weighted rendezvous; Mosko, Tomaszewski and
others). Whether a unit is exposed is another hash than its arm, so a growing share
never moves a unit that was exposed. 52 bits leave no grain that a weight could feel.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from tritonkit.client.experiments.events import is_text, length_prefixed
from tritonkit.errors import ConfigError

__all__ = ["Assignment", "check_weights", "hash64", "uniform"]

LEAST, MOST = 1e-300, 1e290
"""Weights of an arm that anybody gets: all scores are then numbers, and different ones."""


def hash64(*fields: str) -> int:
    """64 bits that any language computes alike."""
    return int.from_bytes(hashlib.sha256(length_prefixed(*fields)).digest()[:8], "big")


def uniform(*fields: str) -> float:
    """The hash of *fields* as a number between 0 and 1, neither of them included."""
    return _unit_interval(hash64(*fields))


def check_weights(weights: Mapping[str, float]) -> None:
    """
    Look whether units can be shared out so.

    Raises:
        ConfigError: If not; weights are never mended.
    """
    for arm, weight in weights.items():
        if not is_text(arm):
            raise ConfigError(f"an arm's name must be text of 1 to 1000 characters, not {arm!r}.")
        numeric = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not numeric or not math.isfinite(weight) or weight < 0:
            raise ConfigError(
                f"weights must be finite and not negative, but got {weight!r} for arm {arm!r}."
            )
        if weight and not LEAST <= weight <= MOST:
            raise ConfigError(
                f"a weight must be 0, or {LEAST:g} to {MOST:g}, but got {weight!r} for arm {arm!r}."
            )
    if not any(weights.values()):
        raise ConfigError(f"one weight must be more than 0, but got {dict(weights)!r}.")


class Assignment:
    """
    The function of one experiment. Needs no lock and is never changed.

    Args:
        experiment: Its name.
        weights: By arm, in any order; only their ratios count.
        salt: Experiments with different salts or names assign independently.
        share: Of all units that are exposed.
        group: Of experiments that share out the units between them; empty for none.
        range: The part of the group's units that this experiment may have.
        holdout: Share of the group's units that no experiment of it has.

    Raises:
        ConfigError: If an argument is wrong.
    """

    def __init__(
        self,
        experiment: str,
        weights: Mapping[str, float],
        *,
        salt: str = "",
        share: float = 1.0,
        group: str = "",
        range: tuple[float, float] = (0.0, 1.0),
        holdout: float = 0.0,
    ) -> None:
        check_weights(weights)
        start, end = range
        if not 0 <= start < end <= 1:
            raise ConfigError(f"range must be two shares, 0 <= start < end <= 1, but got {range}.")
        for name, value in (("share", share), ("holdout", holdout)):
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} must be 0 to 1, but got {value!r}.")
        if not group and (holdout or (start, end) != (0, 1)):
            raise ConfigError("range and holdout are those of a group, but got group=''.")
        self.weights = dict(weights)
        self._share = share
        self._range = (start, end)
        self._holdout = holdout
        self._held_out = _begun("holdout", group) if holdout else None
        self._in_group = _begun("group", group) if (start, end) != (0, 1) else None
        self._exposed = _begun("exposure", salt, experiment) if share < 1 else None
        # By name, so that of equal scores the first wins in whatever order they were given.
        self._arms = [
            (arm, -float(weight), _begun("arm", salt, experiment, arm))
            for arm, weight in sorted(self.weights.items(), key=lambda item: item[0].encode())
            if weight
        ]

    def takes_part(self, unit: str) -> bool:
        """Whether the unit is exposed to any arm."""
        name = length_prefixed(unit)
        if self._held_out is not None and _number(self._held_out, name) < self._holdout:
            return False
        if self._in_group is not None:
            start, end = self._range
            if not start <= _number(self._in_group, name) < end:
                return False
        return self._exposed is None or _number(self._exposed, name) < self._share

    def arm(self, unit: str) -> str:
        """The arm of the unit, exposed or not."""
        name = length_prefixed(unit)
        best, chosen = -1.0, ""
        for arm, negative, begun in self._arms:
            score = negative / math.log(_number(begun, name))
            if score > best:
                best, chosen = score, arm
        return chosen


def _begun(*fields: str) -> Any:
    """A hash that has seen the fields before the unit."""
    return hashlib.sha256(length_prefixed(*fields))


def _number(begun: Any, unit: bytes) -> float:
    whole = begun.copy()
    whole.update(unit)
    return _unit_interval(int.from_bytes(whole.digest()[:8], "big"))


def _unit_interval(number: int) -> float:
    return ((number >> 12) + 0.5) / 4503599627370496.0
