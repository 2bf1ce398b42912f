"""What happens in an experiment: a unit meets an arm, the arm answers, something comes of it."""

from __future__ import annotations

import hashlib
import math
import os
import re
import time
from dataclasses import dataclass
from numbers import Real
from typing import TypeAlias

from tritonkit.errors import ConfigError

__all__ = [
    "Answer",
    "Event",
    "Exposure",
    "Outcome",
    "check_answer_id",
    "is_text",
    "length_prefixed",
    "new_answer_id",
    "wall_clock",
]

_ANSWER = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MAX_TEXT = 1_000
"""Whoever names a metric after a user's input must not fill the log with it."""

_LATEST = 1e11
"""Milliseconds of our time are beyond; such an event would never be old enough to be forgotten."""

_DRAWN = 256
_drawn: list[str] = []
# A child must not use the same.
os.register_at_fork(after_in_child=_drawn.clear)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """
    A unit meets an arm for the first time; there is one for a unit, experiment and version.

    Args:
        experiment: Its name.
        version: Of the experiment: another one where the salt, a weight or an arm's
            identity is another one.
        arm: That the unit is assigned to.
        unit: Who or what is assigned, such as a user.
        answer: Id of the answer before which it happened.
        at: When, in seconds since 1970.
        propensity: In a bandit, the probability with which the unit was to come to this
            arm; None where weights do not follow outcomes, or nobody knows.

    Raises:
        ConfigError: If a name is empty or no text, or a number is impossible.
    """

    experiment: str
    version: str
    arm: str
    unit: str
    answer: str
    at: float
    propensity: float | None = None

    def __post_init__(self) -> None:
        for name in ("experiment", "version", "arm", "unit"):
            _check_text(name, getattr(self, name))
        check_answer_id(self.answer)
        _check_finite("at", self.at)
        _check_propensity(self.propensity)

    @property
    def id(self) -> str:
        """The same for every exposure of the unit to this version, whoever records it."""
        fields = ("exposed", self.experiment, self.version, self.unit)
        return hashlib.sha256(length_prefixed(*fields)).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What a unit of an experiment got, or did not get.

    Args:
        answer: Its id, by which outcomes are recorded.
        experiment: As in its exposure.
        version: As in its exposure.
        arm: That the unit is assigned to, whatever answered in the end.
        unit: As in its exposure.
        seconds: That the arm took.
        cost: What was spent on it, in millionths of the budget's unit.
        cache: Where its rows came from: "memory", "redis" or another store,
            "coalesced", "stale", "model", or "mixed" for more than one of them. An
            arm with less traffic has a colder cache; compare like with like.
        degraded: Why it is less than a full answer; empty for a full one.
        error: Name of the error's class where there is no answer, "Cancelled" where
            the caller gave up; empty otherwise.
        rows: That were asked for.
        at: When, in seconds since 1970.
        propensity: In a bandit, the probability with which this answer was to be the
            arm's; None elsewhere, and where the unit stays in its first arm: its
            exposure has it.

    Raises:
        ConfigError: If a name is empty or no text, or a number is impossible.
    """

    answer: str
    experiment: str
    version: str
    arm: str
    unit: str
    seconds: float
    cost: int = 0
    cache: str = "model"
    degraded: str = ""
    error: str = ""
    rows: int = 1
    at: float
    propensity: float | None = None

    def __post_init__(self) -> None:
        named = self.experiment and self.version and self.arm and self.unit
        texts = (self.experiment, self.version, self.arm, self.unit, self.degraded)
        # There is one for each request: looked at together, where nothing can be wrong.
        if (
            named
            and len(joined := "".join(texts)) <= _MAX_TEXT
            and joined.isascii()
            and isinstance(self.seconds, float)
            and math.isfinite(self.seconds)
            and self.propensity is None
        ):
            return
        for name in ("experiment", "version", "arm", "unit"):
            _check_text(name, getattr(self, name))
        for name in ("cache", "degraded", "error"):
            _check_text(name, getattr(self, name), empty=True)
        check_answer_id(self.answer)
        for name in ("seconds", "cost", "rows", "at"):
            _check_finite(name, getattr(self, name))
        _check_propensity(self.propensity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What came of an answer: a click, a rating, a payment, a label.

    Args:
        answer: Id of the answer: `response.trace.answer`.
        name: Of the metric, such as "conversion".
        value: Of the metric.
        at: When, in seconds since 1970.

    Raises:
        ConfigError: If the id is none, the name is empty or too long, a number is
            not finite, or the time is none in seconds.
    """

    answer: str
    name: str
    value: float
    at: float

    def __post_init__(self) -> None:
        check_answer_id(self.answer)
        _check_text("name", self.name)
        for name in ("value", "at"):
            value = getattr(self, name)
            _check_finite(name, value)
            if type(value) is not float:
                # As a user has it: numpy's own, or an integer that no column of 64 bits holds.
                object.__setattr__(self, name, float(value))
        if self.at > _LATEST:
            raise ConfigError(f"at must be seconds since 1970, but got {self.at!r}.")


Event: TypeAlias = Exposure | Answer | Outcome
"""Anything that a log keeps."""


def wall_clock() -> float:
    """Seconds since 1970, which processes and machines share, about; nothing is measured by it."""
    return time.time()  # noqa: TID251


def new_answer_id() -> str:
    """128 random bits as hexadecimal digits: nobody had it before, and nobody can guess it."""
    try:
        return _drawn.pop()
    except IndexError:
        # Many at a time: one by one, asking for random bits is what a request waits for most.
        digits = os.urandom(16 * _DRAWN).hex()
        first, *others = (digits[at : at + 32] for at in range(0, len(digits), 32))
        _drawn.extend(others)
        return first


def check_answer_id(answer: str) -> None:
    """
    Look whether it may be an answer's id; whether there is such an answer is another question.

    Raises:
        ConfigError: If not.
    """
    if not isinstance(answer, str) or not _ANSWER.fullmatch(answer):
        raise ConfigError(
            f"an answer's id has 32 hexadecimal digits, see trace.answer, but got {answer!r}."
        )


def length_prefixed(*fields: str) -> bytes:
    """
    One byte string that no other fields have.

    Each field in UTF-8, after the number of its bytes as four bytes, the greatest first.
    """
    parts = []
    for field in fields:
        data = field.encode()
        parts += [len(data).to_bytes(4, "big"), data]
    return b"".join(parts)


def is_text(value: object) -> bool:
    """Whether it may name something: not empty, in Unicode, and no more than 1,000 characters."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_text(name: str, value: str, *, empty: bool = False) -> None:
    if not is_text(value) and not (empty and value == ""):
        raise ConfigError(
            f"{name} must be Unicode text of {'0' if empty else '1'} to {_MAX_TEXT} characters, "
            f"but got {value!r:.100}."
        )


def _is_finite(value: Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        # An integer beyond what a float holds.
        return False


def _check_finite(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not _is_finite(value):
        raise ConfigError(f"{name} must be a finite number, but got {value!r}.")


def _check_propensity(value: float | None) -> None:
    if value is not None and not 0 < value <= 1:
        raise ConfigError(f"propensity must be above 0 and at most 1, but got {value!r}.")
