"""Schedules as they are written on the command line."""

from __future__ import annotations

from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.bench.schedule.constant import Constant
from tritonkit.bench.schedule.gamma import Gamma
from tritonkit.bench.schedule.poisson import Poisson
from tritonkit.bench.schedule.ramp import Ramp
from tritonkit.bench.schedule.recorded import Recorded
from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration

__all__ = ["FORMS", "parse_arrivals"]

FORMS = (
    "500 or poisson:500, constant:500, gamma:500:0.5 (rate and burstiness), "
    "ramp:100-1000/60s (with :poisson behind it for random gaps), trace:FILE or trace:FILE:repeat"
)
"""What `parse_arrivals` reads, for the help of options and for errors."""


def parse_arrivals(text: str) -> Arrivals:
    """
    Read a schedule.

    Args:
        text: One of FORMS; rates are arrivals a second. A rate alone is a Poisson
            process, since callers that do not know of each other make one.

    Raises:
        ConfigError: If it is none of them, or a value is out of its range.
    """
    kind, colon, rest = text.strip().partition(":")
    if not colon:
        return Poisson(_number(kind, text))
    match kind:
        case "poisson":
            return Poisson(_number(rest, text))
        case "constant":
            return Constant(_number(rest, text))
        case "gamma":
            rate, colon, burstiness = rest.partition(":")
            if not colon:
                raise ConfigError(
                    f"gamma needs a rate and a burstiness, such as gamma:500:0.5, but got {text!r}."
                )
            return Gamma(_number(rate, text), _number(burstiness, text))
        case "ramp":
            return _ramp(rest, text)
        case "trace":
            path = rest.removesuffix(":repeat")
            return Recorded.read(path, repeat=path != rest)
    raise ConfigError(f"a rate must be {FORMS}, but got {text!r}.")


def _ramp(rest: str, text: str) -> Ramp:
    rates, slash, length = rest.removesuffix(":poisson").partition("/")
    first, dash, last = rates.partition("-")
    if not slash or not dash:
        raise ConfigError(
            f"a ramp needs two rates and a duration, such as ramp:100-1000/60s, but got {text!r}."
        )
    seconds = parse_duration(length, name=f"the duration of {text!r}")
    if not seconds:
        raise ConfigError(f"a ramp must last longer than 0 s, but got {text!r}.")
    return Ramp.between(
        _number(first, text), _number(last, text), seconds, poisson=rest.endswith(":poisson")
    )


def _number(number: str, text: str) -> float:
    try:
        return float(number)
    except ValueError:
        raise ConfigError(
            f"{number!r} is not a number; a rate must be {FORMS}, but got {text!r}."
        ) from None
