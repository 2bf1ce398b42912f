"""What is done with samples, in the thread: compared, remembered, told of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tritonkit.client.drift.alert import Alert
from tritonkit.client.drift.reading import Reading
from tritonkit.client.drift.watch import Watch
from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.layers.drift.sampled import Given, Judged, Sampled
from tritonkit.client.layers.drift.webhook import Webhook
from tritonkit.errors import ConfigError

__all__ = ["READ", "Looking"]

READ = (ConfigError, ValueError, TypeError, KeyError, IndexError)
"""What rows raise that are not like those of the profile."""

_MOST_GIVEN = 100_000
"""Rows whose labels may still come."""

_log = logging.getLogger(__name__)


class Looking:
    """
    Compares samples, and what is known of their answers, with the profiles.

    Args:
        watches: By model.
        alert: Is called with each alert.
        webhook: Likewise.
    """

    def __init__(
        self,
        watches: Mapping[str, Watch],
        *,
        alert: Callable[[Alert], None] | None,
        webhook: Webhook | None,
    ) -> None:
        self.watches = watches
        self.counts = dict.fromkeys(("ticket", "page", "labels", "labels_unknown"), 0)
        self.untold = 0
        self._alert, self._webhook = alert, webhook
        self._given = Given(_MOST_GIVEN)
        # Held by the thread and by who asks for a report, never on the path.
        self._lock = fork_safe_lock()

    def __call__(self, item: Sampled | Judged) -> None:
        """Look at *item*, and tell of what has drifted by it."""
        watch = self.watches[item.model]
        with self._lock:
            if isinstance(item, Sampled):
                alerts = watch.see(item.inputs, item.outputs, item.computed, item.time)
                self._remember(watch, item)
            else:
                alerts = self._judge(watch, item)
        for alert in alerts:
            self._tell(alert)

    def report(self) -> dict[str, Any]:
        """Each model's features and accuracies in numbers."""
        with self._lock:
            return {model: watch.report() for model, watch in self.watches.items()}

    def _tell(self, alert: Alert) -> None:
        self.counts[alert.severity] += 1
        _log.warning("%s", alert)
        if self._webhook is not None:
            self._webhook(alert)
        if self._alert is not None:
            try:
                self._alert(alert)
            except Exception:
                # The other alerts are not said again.
                self.untold += 1
                _log.exception("nobody was told of an alert")

    def _remember(self, watch: Watch, item: Sampled) -> None:
        classes = watch.profile.classes
        if not item.id or not classes or item.outputs is None:
            return
        try:
            given = Reading(kind="class")(item.outputs[classes])
        except READ:
            return
        self._given.remember(item.model, item.id, item.places, given.tolist())

    def _judge(self, watch: Watch, item: Judged) -> list[Alert]:
        right = item.right
        if right is None:
            given = self._given.take(item.model, item.id, item.row)
            if given is None:
                self.counts["labels_unknown"] += 1
                return []
            self.counts["labels"] += 1
            right = np.array([given == item.label])
        return watch.judge(item.by, right, item.time)
