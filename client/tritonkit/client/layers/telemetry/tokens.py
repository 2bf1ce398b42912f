"""Tokens in and out of models, and alarms where there are suddenly many more."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.layers.telemetry.counting import (
    Tokenizer,
    answer_counter,
    request_counter,
)
from tritonkit.client.layers.telemetry.heavy import Heavy
from tritonkit.client.layers.telemetry.spikes import SpikeTests
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.errors import ConfigError
from tritonkit.units import format_duration, parse_duration

__all__ = ["Spike", "Tokens"]

LEARN = 30
"""Bins before everybody's tokens are tested, at the earliest."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Spike:
    """
    Much more than usual.

    Args:
        scope: "global" or "user".
        user: Who, where it is one; his tag.
        tenant: The scope of his requests.
        tokens: Of the newest bin.
        usual: Of a bin before.
        bin: Its seconds.
    """

    scope: str
    user: str
    tenant: str
    tokens: int
    usual: float
    bin: float

    def __str__(self) -> str:
        who = "all users together" if self.scope == "global" else f"user {self.user!r}"
        return (
            f"{who}: {self.tokens} tokens in {format_duration(self.bin)}, "
            f"{self.usual:.0f} are usual"
        )


class Tokens:
    """
    Counts tokens by model, and watches those of all and of each heavy user for spikes.

    A spike may be an injection that makes a model write without end, or a key in the wrong
    hands. Tokens in and out are watched together, in bins. The test holds for any stream, with a
    daily rhythm or bursts of its own, as long as the mean of a bin, given those before, is no
    more than *factor* times the usual: then the alarms of all tests together are, on
    average, at least *false_alarms* apart. What takes five times as many tokens as usual
    from one bin to the next is found within 19 bins at the default values, and a single user
    of many who does within 27, where it is steady.

    The usual is that of the last hour, and at least half that of the last day's busy bins;
    for a user at least what an active user takes. Only the users who take the most
    have a test of their own. After an alarm there is none of the same for as long as *memory*.

    Args:
        count: A function of the request that tells its tokens, or a tokenizer for its texts. By
            default the ones of its `attention_mask`, the numbers in its `input_ids`, or
            else the words of its texts.
        answered: Likewise of the response; by default the numbers in its `output_ids`, or else
            the words of its texts.
        user: The tag that names the user.
        false_alarms: The mean time between false alarms, at least, all tests together.
        factor: How many times the usual is not yet a spike.
        bin: Longer than a burst that means nothing.
        memory: How far back what is usual reaches.
        users: How many have a test, and a place in memory, at a time.
        on_spike: Called with a `Spike` in the thread of some call, besides the log; must be quick.
        clock: Seconds that only grow.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        count: Callable[[InferRequest], int] | Tokenizer | None = None,
        answered: Callable[[InferResponse], int] | Tokenizer | None = None,
        *,
        user: str = "user",
        false_alarms: str | float | timedelta = "30d",
        factor: float = 2.0,
        bin: str | float | timedelta = "10s",
        memory: str | float | timedelta = "1h",
        users: int = 200,
        on_spike: Callable[[Spike], None] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        apart = parse_duration(false_alarms, name="false_alarms")
        self.bin = parse_duration(bin, name="bin")
        bins = parse_duration(memory, name="memory") / self.bin if self.bin else 0.0
        if bins < 2:
            raise ConfigError(f"memory must be two bins at least, but got {memory=}, {bin=}.")
        if apart < self.bin:
            raise ConfigError(
                f"false_alarms must be a bin apart at least, but got {false_alarms=}, {bin=}."
            )
        if not factor >= 1:
            raise ConfigError(f"factor must be at least 1, but got {factor=}.")
        if users < 0:
            raise ConfigError(f"users must not be negative, but got {users=}.")
        self.user = user
        self.lock = fork_safe_lock()
        self._in = request_counter(count)
        self._out = answer_counter(answered)
        self._on_spike = on_spike
        self._clock = clock
        # Half of the alarms are everybody's, the others' are shared by the users.
        run_length = 2 * apart / self.bin
        lengths = np.full(1 + users, run_length * max(1, users))
        lengths[0] = run_length if users else run_length / 2
        self._tests = SpikeTests(lengths, factor=factor, memory=round(bins), learn=LEARN)
        self._heavy: Heavy[tuple[str, str]] = Heavy(users)
        self._day = max(1, round(86_400 / self.bin))
        self._busy = _Mean(self._day)
        self._active = _Mean(round(bins))
        self._bin_ends = clock() + self.bin
        self._all = 0
        self._complained = False
        self._counts: Counter[tuple[str, str]] = Counter()
        self._alarms: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"Tokens(user={self.user!r}, bin={format_duration(self.bin)!r})"

    def saw(self, model: str, request: InferRequest, response: InferResponse | None) -> None:
        """A call has ended; nothing that it holds makes this raise."""
        try:
            taken = max(0, int(self._in(request)))
            given = 0 if response is None else max(0, int(self._out(response)))
        except Exception:
            # What a user's function makes of a request is no reason for the call to fail.
            self._complain("tokens of model %r were not counted", model)
            return
        user = request.tags.get(self.user, "")
        with self.lock:
            spikes = self._advance(self._clock())
            self._counts[model, "in"] += taken
            self._counts[model, "out"] += given
            self._all += taken + given
            if user:
                place, new = self._heavy.add((request.scope, user), taken + given)
                if new:
                    self._tests.forget(1 + place)
        for spike in spikes:
            self._tell(spike)

    def counts(self) -> dict[tuple[str, str], int]:
        """Tokens by model and direction, "in" or "out"."""
        with self.lock:
            return dict(self._counts)

    def spikes(self) -> dict[str, int]:
        """Alarms so far, by "global" or "user"."""
        with self.lock:
            return {scope: self._alarms[scope] for scope in ("global", "user")}

    def _advance(self, now: float) -> list[Spike]:
        """Close the bins that have passed."""
        if now < self._bin_ends:
            return []
        passed = int((now - self._bin_ends) / self.bin) + 1
        self._bin_ends += passed * self.bin
        spikes = self._close()
        if passed > 1:
            self._tests.idle(passed - 1)
            self._heavy.decay((1 - 1 / self._day) ** (passed - 1))
        return spikes

    def _close(self) -> list[Spike]:
        users = self._heavy.take()
        counts = np.array([self._all, *users], dtype=np.float64)
        usual = self._tests.usual.copy()
        least: NDArray[np.float64] = np.full(len(counts), self._active.value)
        least[0] = self._busy.value / 2
        if self._busy.age < LEARN:
            least[0] = 0.0
        alarms = self._tests.add(counts, least)
        active = counts[1:][counts[1:] > 0]
        if self._all:
            self._busy.add(float(self._all))
        if len(active):
            self._active.add(float(active.mean()))
        self._all = 0
        self._heavy.decay(1 - 1 / self._day)
        spikes = []
        for place in np.flatnonzero(alarms).tolist():
            tenant, user = ("", "") if place == 0 else self._heavy.name(place - 1)
            scope = "user" if place else "global"
            self._alarms[scope] += 1
            level = max(float(usual[place]), float(least[place]))
            spikes.append(Spike(scope, user, tenant, int(counts[place]), level, self.bin))
        return spikes

    def _tell(self, spike: Spike) -> None:
        _log.warning("a spike of tokens: %s", spike)
        if self._on_spike is not None:
            try:
                self._on_spike(spike)
            except Exception:
                # Nor is this: the call has its answer.
                self._complain("nobody was told of the spike: %s", spike)

    def _complain(self, text: str, about: object) -> None:
        """In the log, the first time."""
        if not self._complained:
            self._complained = True
            _log.exception(text, about)


class _Mean:
    """A moving mean, of all values until it has a memory full of them."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self.age = 0
        self.value = 0.0

    def add(self, value: float) -> None:
        self.age += 1
        self.value += (value - self.value) / min(self.age, self._memory)
