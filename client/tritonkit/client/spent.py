"""What failures took on the way to an answer."""

from __future__ import annotations

from dataclasses import dataclass

from tritonkit.client.types import InferResponse

__all__ = ["Spent"]


@dataclass(slots=True)
class Spent:
    """
    What was sent and spent for a request without an answer, noted by the layers that know.

    An answer tells in its trace what it took itself; an error has none. Whoever makes
    a request may give it one of these, and read there what failed routes and attempts
    took, whether there is an answer in the end or not. It travels with the request: where
    calls are joined, or one computes for others, it is that of the first.

    Args:
        attempts: Requests that were sent, as `Retry` counts them.
        cost: What a `Budget` charged, in millionths of its unit.
        arms: The experiments that the request took part in and the arm of each, as in a trace.
    """

    attempts: int = 0
    cost: int = 0
    arms: tuple[tuple[str, str], ...] = ()

    def add(self, other: Spent) -> None:
        """Note what *other* has as well: that of a part of the request, which had its own."""
        self.attempts += other.attempts
        self.cost += other.cost
        for arm in other.arms:
            self.took_part(arm)

    def took_part(self, arm: tuple[str, str]) -> None:
        """Note an arm; once, however often it is asked."""
        if arm not in self.arms:
            self.arms += (arm,)

    def added_to(self, response: InferResponse) -> InferResponse:
        """*response*, whose trace tells of these as well."""
        if not self.attempts and not self.cost:
            return response
        trace = response.trace
        return response.traced(attempts=trace.attempts + self.attempts, cost=trace.cost + self.cost)
