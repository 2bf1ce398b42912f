"""How much may be spent: by whom, on what, in which time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal, TypeAlias

from tritonkit.client.ledgers.ledger import BUCKETS, MAX_AMOUNT, MAX_WINDOW_US, Claim
from tritonkit.client.types import InferRequest
from tritonkit.errors import ConfigError
from tritonkit.units import format_duration, parse_duration

__all__ = ["CALLER", "MICRO", "PURSE", "Per", "Quota", "Subject", "format_amount", "micro_units"]

MICRO = 10**6
"""Micro-units of a unit of money."""

Per: TypeAlias = Literal["user", "tenant", "model", "global"]
"""Who has a quota to himself."""

Unit: TypeAlias = Literal["", "calls", "rows"]
"""What a quota counts; empty for money."""

_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-z]*)", re.ASCII)
_UNITS: dict[str, Unit] = {"": "", "call": "calls", "calls": "calls", "row": "rows", "rows": "rows"}


def micro_units(value: str | float | Decimal, *, name: str) -> Fraction:
    """
    Read an amount of money.

    Args:
        value: "5.00", 5, 0.1 (as it is written, not as it is stored) or a Decimal.
        name: What it is for; stands in the error.

    Returns:
        Micro-units, exact; a price may be a fraction of one.

    Raises:
        ConfigError: If it is no number, negative, not finite or too large.
    """
    number, unit = _parse(value, name)
    if unit:
        raise ConfigError(f"{name} must be money such as '0.002', but got {value!r}.")
    return _in_range(number * MICRO, value, name)


def format_amount(amount: int, unit: Unit) -> str:
    """As people write it: "0.3", "20 calls"."""
    if unit:
        return f"{amount} {unit[:-1] if amount == 1 else unit}"
    whole, micro = divmod(amount, MICRO)
    return f"{whole}.{micro:06}".rstrip("0").rstrip(".")


PURSE, CALLER = "purse", "caller"
"""The tag, and its value, by which what nobody waits for is charged as if somebody did."""


@dataclass(frozen=True, slots=True)
class Subject:
    """
    Who spends, and on what.

    Args:
        user: The request's tag "user"; those without one are one user together.
        tenant: The request's scope.
        model: The request's model.
        purse: "" for answers that somebody waits for; "shadow" and "refresh" have
            quotas of their own, unless the tag "purse" says "caller".
    """

    user: str = ""
    tenant: str = ""
    model: str = ""
    purse: str = ""

    @classmethod
    def of(cls, request: InferRequest) -> Subject:
        """Whom *request* is charged to."""
        purse = request.priority if request.priority in ("shadow", "refresh") else ""
        if purse and request.tags.get(PURSE) == CALLER:
            purse = ""
        return cls(request.tags.get("user", ""), request.scope, request.model, purse)


@dataclass(frozen=True, slots=True)
class Quota:
    """
    The most that may be spent in any window of a length, wherever it begins.

    Args:
        limit: "20 calls", "1000 rows", or money in a unit of yours: "5.00". 0 allows
            nothing, not even what is free.
        per: Who has it to himself: each "user" of each tenant (the request's tag
            "user"), each "tenant" (its scope), each "model", or all together: "global".
        model: Counts requests for this model only; all by default.
        window: Its length: "1h", "1d"; from 1 ms to a year.
        name: Quotas that agree in all but the limit are one where they share a
            ledger; this keeps them apart.

    Raises:
        ConfigError: If an argument is out of range.
    """

    limit: str | float | Decimal
    per: Per = field(default="global", kw_only=True)
    model: str = field(default="", kw_only=True)
    window: str | float | timedelta = field(kw_only=True)
    name: str = field(default="", kw_only=True)
    amount: int = field(init=False, repr=False)
    """The limit in micro-units, calls or rows."""
    unit: Unit = field(init=False, repr=False)
    """What it counts."""
    window_us: int = field(init=False, repr=False)
    """The window in microseconds."""

    label: str = field(init=False, repr=False, compare=False)
    """What metrics call it: its name, or what it says."""

    _key: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        number, unit = _parse(self.limit, "limit")
        amount = _in_range(number if unit else number * MICRO, self.limit, "limit")
        if amount.denominator != 1:
            least = "whole" if unit else "whole millionths"
            raise ConfigError(f"limit must be {least}, but got {self.limit!r}.")
        if self.per not in ("user", "tenant", "model", "global"):
            raise ConfigError(
                f"per must be 'user', 'tenant', 'model' or 'global', but got {self.per!r}."
            )
        window_us = parse_duration(self.window, name="window") * 1e6
        if not 1000 <= window_us <= MAX_WINDOW_US:
            raise ConfigError(f"window must be from 1ms to 366d, but got {self.window!r}.")
        object.__setattr__(self, "amount", int(amount))
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "window_us", max(BUCKETS, math.ceil(window_us)))
        object.__setattr__(self, "_key", ":".join(map(_quoted, self.key)))
        object.__setattr__(self, "label", self.name or str(self))

    def __str__(self) -> str:
        of = f" of {self.model}" if self.model else ""
        whose = "" if self.per == "global" else f" per {self.per}"
        window = format_duration(self.window_us / 1e6)
        return f"{format_amount(self.amount, self.unit)}{of}{whose} in {window}"

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it this quota: everything but the limit."""
        return (self.name, self.unit, self.per, self.model, str(self.window_us))

    def counts(self, subject: Subject) -> bool:
        """Whether it counts what *subject* does."""
        return self.model in ("", subject.model)

    def claim(self, subject: Subject, amount: int) -> Claim:
        """*amount* on account of *subject*."""
        scope = f"{subject.purse}:{self._key}"
        if self.per == "user":
            scope += f":{_quoted(subject.tenant)}:{_quoted(subject.user)}"
        elif self.per == "tenant":
            scope += f":{_quoted(subject.tenant)}"
        elif self.per == "model":
            scope += f":{_quoted(subject.model)}"
        return Claim(scope, self.amount, self.window_us, amount)

    def whose(self, subject: Subject) -> str:
        """Whose it is, for people: "user 'u17'"."""
        purse = f" ({subject.purse})" if subject.purse else ""
        if self.per == "global":
            return f"everybody{purse}"
        return f"{self.per} {getattr(subject, self.per)!r}{purse}"


def _quoted(name: str) -> str:
    """Without a colon, and still another one for each name."""
    return name.replace("%", "%25").replace(":", "%3A")


def _parse(value: str | float | Decimal, name: str) -> tuple[Fraction, Unit]:
    if isinstance(value, str):
        match = _AMOUNT.fullmatch(value.strip())
        if match is None or match[2] not in _UNITS:
            raise ConfigError(
                f"{name} must be such as '20 calls', '1000 rows' or '5.00', but got {value!r}."
            )
        return Fraction(match[1]), _UNITS[match[2]]
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ConfigError(f"{name} must be such as '20 calls' or '5.00', but got {value!r}.")
    if not math.isfinite(value):
        raise ConfigError(f"{name} must be finite, but got {value!r}.")
    return Fraction(str(value)), ""


def _in_range(number: Fraction, value: object, name: str) -> Fraction:
    if not 0 <= number <= MAX_AMOUNT:
        raise ConfigError(f"{name} must be from 0 to 10**15 of its smallest, but got {value!r}.")
    return number
