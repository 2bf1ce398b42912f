"""Who counts what becomes of copies, compares the answers, and decides."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.layers.shadow.compare import Comparators, answer_rows, compare
from tritonkit.client.layers.shadow.copies import Copy, size
from tritonkit.client.layers.shadow.report import ShadowReport
from tritonkit.client.layers.shadow.tally import Tally
from tritonkit.client.layers.shadow.verdict import Rules, ShadowVerdict, decide
from tritonkit.client.layers.shadow.worst import Worst
from tritonkit.client.trace import MODEL, Trace
from tritonkit.client.types import InferResponse

__all__ = ["Judge"]

T = TypeVar("T")

_INLINE = 256 * 1024
"""Bytes that are compared within the event loop; more would hold up others."""

_LONGEST_SLICE = 100
"""Characters of a tag's value that are kept."""

_log = logging.getLogger("tritonkit.client.shadow")


class Judge:
    """
    What is known of a shadow in this process.

    Args:
        route: Name of the shadow.
        rules: What is asked of it.
        comparators: What compares which output.
        slices: The tag whose values are told apart; none where empty.
        max_slices: How many values of it.
        worst: Keeps the worst rows.
        on_verdict: Told of the decision, instead of the log.
        threads: For what may take its time, at most. Its own, for the event loop's are few, and
            connections need them too.
    """

    def __init__(
        self,
        route: str,
        rules: Rules,
        comparators: Comparators,
        *,
        slices: str,
        max_slices: int,
        worst: Worst,
        on_verdict: Callable[[ShadowVerdict], None] | None,
        threads: int,
    ) -> None:
        self.rules = rules
        self.verdict: ShadowVerdict | None = None
        """The first decision, which stays."""
        self._route, self._comparators = route, comparators
        self._slices, self._max_slices = slices, max_slices
        self._worst = worst
        self._on_verdict = on_verdict
        self._most_threads = threads
        self._threads: ThreadPoolExecutor | None = None
        self._tally = Tally(max_slices)
        # Nothing is decided before; and of the first few each look costs as much as a comparison.
        self._first_look = self._next_look = max(1, rules.min_requests)
        self._lock, self._pid = fork_safe_lock(), os.getpid()

    def counts(self) -> dict[str, int]:
        """Copies by what became of them."""
        with self._guard():
            return dict(self._tally.counts)

    def count(self, what: str) -> None:
        """One more of them."""
        with self._guard():
            self._tally.counts[what] += 1

    def failed(self) -> None:
        """The shadow did not answer."""
        self.count("failed")
        self._look()

    def answered(self, response: InferResponse) -> None:
        """It did."""
        with self._guard():
            self._tally.counts["answered"] += 1
            self._tally.cost += response.trace.cost

    async def compare(
        self, copy: Copy, primary: InferResponse, shadow: InferResponse, seconds: float
    ) -> None:
        """
        Compare two answers.

        Args:
            copy: The request, and the primary's outputs as the caller got them.
            primary: Its answer.
            shadow: The other one.
            seconds: That the shadow took.

        Raises:
            ConfigError: If a comparator cannot compare what an output is.
        """
        inputs = copy.inputs or {}
        rows = answer_rows(inputs, primary)
        small = size(copy.outputs) + size(shadow.outputs) <= _INLINE
        if small and self._comparators.inline:
            compared = compare(copy.outputs, shadow.outputs, self._comparators, rows=rows)
        else:
            compared = await self._in_thread(
                partial(compare, copy.outputs, shadow.outputs, self._comparators, rows=rows)
            )
        if self._worst.keep:
            answers = inputs, copy.outputs, shadow.outputs
            if self._worst.redact is None:
                self._worst.add(compared, *answers, rows)
            else:
                # A hook of the user's may take its time.
                await self._in_thread(partial(self._worst.add, compared, *answers, rows))
        value = str(copy.tags.get(self._slices, ""))[:_LONGEST_SLICE] if self._slices else None
        with self._guard():
            self._tally.compared(compared, value)
            if copy.seconds is not None and _computed(primary.trace) and _computed(shadow.trace):
                self._tally.took(copy.seconds, seconds)
        self._look()

    def report(self) -> ShadowReport:
        """What was found so far."""
        with self._guard():
            tally, verdict = self._tally.copy(), self.verdict
        worst = self._worst.rows()
        found = verdict or decide(tally.evidence(), self.rules)
        return ShadowReport(self._route, self.rules, found, tally, worst)

    def close(self) -> None:
        """End the threads, as soon as they are done."""
        with self._guard():
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        with self._guard():
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._most_threads, "tritonkit-shadow")
            threads = self._threads
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    def _look(self) -> None:
        """Whether it is decided; ever more seldom, for the more there is the less one changes."""
        with self._guard():
            evidence = self._tally.evidence()
            if self.verdict is not None or evidence.asked < self._next_look:
                return
            self._next_look = evidence.asked + max(1, evidence.asked // 50)
        verdict = decide(evidence, self.rules, estimate=False)
        if verdict.decision == "undecided":
            return
        if not self._first(verdict):
            return
        if self._on_verdict is not None:
            try:
                self._on_verdict(verdict)
            except Exception:
                # The copy has been counted, and nobody is there to be told but the log.
                _log.exception("shadow %r: on_verdict was told %s", self._route, verdict)
        else:
            level = logging.WARNING if verdict.decision == "reject" else logging.INFO
            _log.log(level, "shadow %r: %s", self._route, verdict)

    def _first(self, verdict: ShadowVerdict) -> bool:
        with self._guard():
            first = self.verdict is None
            if first:
                self.verdict = verdict
        return first

    def _guard(self) -> threading.RLock:
        if self._pid != os.getpid():
            # What the parent has counted it tells itself.
            self._tally, self._next_look = Tally(self._max_slices), self._first_look
            self._pid = os.getpid()
            # Its threads are not here.
            self._threads = None
        return self._lock


def _computed(trace: Trace) -> bool:
    """Whether the model computed all of it, for this request alone."""
    return all(origin == MODEL for origin in trace.origins)
