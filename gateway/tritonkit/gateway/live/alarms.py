"""What happened since one looked last, and should not go by unseen."""

from __future__ import annotations

from collections.abc import Mapping

from tritonkit.gateway.live.document import Alert
from tritonkit.gateway.live.reading import WorkerReading

__all__ = ["MOST_ALERTS", "Alarms"]

MOST_ALERTS = 50
"""That the page shows."""


class Alarms:
    """Compares what a worker tells of itself with what it told before."""

    def __init__(self) -> None:
        self._breakers: dict[tuple[str, str], str] = {}
        self._endpoints: dict[str, bool] = {}
        self._stores: dict[str, bool] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def look(
        self, at: float, reading: WorkerReading, counts: Mapping[tuple[str, str], int]
    ) -> list[Alert]:
        """
        What is new.

        Args:
            at: Seconds since 1970.
            reading: Of now.
            counts: Alarms of layers since the start, by their kind and what they say.
        """
        found: list[tuple[str, str]] = []
        for breaker in reading["breakers"]:
            key, state = (breaker["model"], breaker["endpoint"]), breaker["state"]
            before = self._breakers.get(key, "closed")
            where = f" in {key[1]}" if key[1] else ""
            if state == "open" != before:
                found.append(("breaker", f"{key[0]}{where}: the circuit opened"))
            elif state == "closed" != before:
                found.append(("breaker", f"{key[0]}{where}: the circuit closed again"))
            # From open to half-open and back is one and the same outage.
            if state != "half-open":
                self._breakers[key] = state
        for endpoint in reading["endpoints"]:
            name, up = endpoint["endpoint"], endpoint["up"]
            if up != self._endpoints.get(name, True):
                found.append(("endpoint", f"{name} is {'back' if up else 'left out: it fails'}"))
            self._endpoints[name] = up
        for store in reading["stores"]:
            name, up = store["store"], store["up"]
            if up != self._stores.get(name, True):
                found.append(("store", f"{name} {'answers again' if up else 'does not answer'}"))
            self._stores[name] = up
        for (kind, text), count in counts.items():
            more = count - self._counts.get((kind, text), 0)
            if more > 0:
                found.append((kind, text if more == 1 else f"{text}, {more} times"))
        self._counts = dict(counts)
        return [{"at": at, "kind": kind, "text": text} for kind, text in found]
