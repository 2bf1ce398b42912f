"""The layer that spends no more than it may."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from time import monotonic
from typing import Any, Literal, TypeAlias, get_args

from tritonkit.client.layers.budget.accounts import Accounts
from tritonkit.client.layers.budget.cost import Costs, Pricing
from tritonkit.client.layers.budget.limits import MICRO, Quota, Subject, format_amount
from tritonkit.client.layers.budget.untouched import nothing_computed
from tritonkit.client.layers.budget.warnings import BudgetWarning, Warned
from tritonkit.client.ledgers.ledger import MAX_AMOUNT, Claim, Denied, Grant, Ledger, Lost
from tritonkit.client.ledgers.local import LocalLedger
from tritonkit.client.readings import Reading
from tritonkit.client.spent import Spent
from tritonkit.client.stack import Immediate, Layer, Transport
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import BudgetExceeded, ConfigError, RequestError
from tritonkit.units import format_duration, parse_duration, parse_share

__all__ = ["Budget", "OnLoss", "QuotaUsage"]

OnLoss: TypeAlias = Literal["fail_closed", "fail_local", "fail_open"]
"""What becomes of requests while nobody knows what was spent."""

_GRACE = 60.0
"""Seconds after a request's deadline until its reservation counts as spent."""

_log = logging.getLogger("tritonkit.client.budget")


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """
    How it stands with one quota of somebody.

    Args:
        quota: Which one.
        whose: For people: "user 'u17'".
        settled: Spent within the window, in the quota's smallest unit: micro-units,
            calls or rows.
        reserved: By requests that are on their way.
        left: What a request may still cost.
        violations: Requests that cost more than they had reserved.
    """

    quota: Quota
    whose: str
    settled: int
    reserved: int
    left: int
    violations: int


class Budget(Layer):
    """
    Holds what requests cost below hard limits.

    Reserves the most that a request can cost, in all its quotas or in none, then calls
    inner once, then settles what was spent: rows that the answer's trace attributes to
    a cache or to another request are free. What may have been computed is charged: a
    request that timed out, failed or was cancelled costs all that was reserved. One
    that was surely not computed (CircuitOpen, LimitExceeded, ServerOverloaded,
    ModelUnavailable, NotKept, with no other error behind it) costs nothing. The trace
    tells the cost, also that of attempts and routes that failed before.

    Requests of the priorities "shadow" and "refresh" have quotas of their own, with
    the same limits: what nobody waits for takes nothing from those who do. The user and the
    tenant are those of the request that it is computed for. With the tag "purse": "caller" it is
    charged as if it was waited for.

    Raises BudgetExceeded, without calling inner, where a quota has too little left:
    names it, its limit and what is left. Otherwise what inner raises.

    Put it below Cache and Coalesce, so that kept answers ask no ledger, and below
    Tiers, Retry and Hedge, each attempt a reservation of its own: Tiers then takes
    another route where this one's budget is spent. Above Retry it must be told of the
    attempts.

    Args:
        quotas: Limits that a request must all keep.
        ledger: What remembers. A `LocalLedger` by default, for a service of one process;
            several need a `RedisLedger`.
        costs: What requests cost, `Costs` or `Measured`; needed where a quota counts
            money. A model that it does not know is denied there.
        soft: Share of each limit beyond which to warn, once in a window; 1 never warns
            before it denies. 80 % leaves time to act.
        on_loss: What to do while the ledger does not know. "fail_closed" denies: a hard
            limit is one only so. "fail_local" holds this process to *local_share* of
            each limit. "fail_open" lets everything pass, unaccounted.
        local_share: See there; what all processes may spend beyond the limit, in any
            window, is their number times this.
        attempts: The most that layers below may make of one request.
        ttl: When a reservation counts as spent, unless told otherwise: longer than any
            request takes. One with a later deadline has a minute from there.
        dry_run: Counts and logs what would be denied, and denies nothing.
        on_warning: Called with a `BudgetWarning` instead of logging it; must be quick.
        clock: Seconds that only grow; for warnings.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        *quotas: Quota,
        ledger: Ledger | None = None,
        costs: Pricing | None = None,
        soft: str | float = "80%",
        on_loss: OnLoss = "fail_closed",
        local_share: str | float = "10%",
        attempts: int = 1,
        ttl: str | float | timedelta = "5m",
        dry_run: bool = False,
        on_warning: Callable[[BudgetWarning], None] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if on_loss not in get_args(OnLoss):
            raise ConfigError(f"on_loss must be one of {get_args(OnLoss)}, but got {on_loss!r}.")
        if attempts < 1:
            raise ConfigError(f"attempts must be at least 1, but got {attempts=}.")
        self.quotas = quotas
        self.ledger = LocalLedger() if ledger is None else ledger
        self.soft = parse_share(soft, name="soft")
        self.on_loss = on_loss
        self.local_share = parse_share(local_share, name="local_share")
        self.attempts = attempts
        self.ttl = parse_duration(ttl, name="ttl")
        self.dry_run = dry_run
        if not self.ttl:
            raise ConfigError(f"ttl must be more than 0, but got {ttl=}.")
        _check_quotas(quotas, costs)
        self.costs = Costs() if costs is None else costs
        self._on_warning = on_warning
        self._warned = Warned(clock)
        self._local = LocalLedger()
        self._accounts = Accounts()
        self._over_another = False
        self._settling: set[asyncio.Task[bool]] = set()

    def __repr__(self) -> str:
        parts = [repr(str(quota)) for quota in self.quotas]
        parts += [repr(self.ledger)] + (["dry_run=True"] if self.dry_run else [])
        return f"Budget({', '.join(parts)})"

    @property
    def counts(self) -> dict[str, int]:
        """
        How often something happened since the layer was made.

        granted, denied and lost: what the ledger said. unaccounted: requests that passed
        without a reservation. released: those that cost nothing. violations: those that
        cost more than reserved. unsettled: those that the ledger did not take note of,
        and charges in full. cost: micro-units, of all of them.
        """
        return self._accounts.events

    def attach(self, transport: Transport) -> None:
        """Let the prices know the server."""
        self.costs.attach(transport)

    def stand(self, above: Sequence[Layer]) -> None:
        """Tell the budgets above that there is one below, which knows what is spent."""
        for layer in above:
            if isinstance(layer, Budget):
                layer._over_another = True

    def observe(self) -> Iterator[Reading]:
        """What the ledger said, and the amounts: of each quota, and of all in money."""
        yield from self._accounts.observe()
        for quota in self.quotas:
            if quota.per == "global":
                # What others have each to himself cannot be told from the sum of all.
                labels = {"quota": quota.label, "window": format_duration(quota.window_us / 1e6)}
                yield Reading("budget_limit", quota.amount, labels, "gauge")

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has without waiting costs nothing."""
        return inner(request)

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Answer *request* by inner, if all its quotas bear it."""
        if request.only_kept:
            # Nothing is computed for it: no transport answers it.
            return await inner(request)
        subject = Subject.of(request)
        quotas = [quota for quota in self.quotas if quota.counts(subject)]
        bill = self.costs.bill(request)
        id = os.urandom(12).hex()
        most = [bill.most(quota.unit, self.attempts) for quota in quotas]
        ledger: Ledger | None = None
        if quotas:
            if bill.known or all(quota.unit for quota in quotas):
                claims = [q.claim(subject, bound) for q, bound in zip(quotas, most, strict=True)]
                ledger = await self._reserve(id, request, quotas, subject, claims)
            else:
                self._deny(request, f"nobody says what model {request.model!r} costs", math.inf)
        actual: list[int] | None = most
        money = bill.most("", self.attempts)
        handled = sys.exception()
        # Apart: what goes on beside this call for the same request is none of its failures.
        noted = request.spent is not None or self._over_another
        below = Spent() if noted else None
        try:
            response = await inner(request if below is None else request.but(spent=below))
            actual = [bill.spent(quota.unit, response.trace) for quota in quotas]
            # A budget below knows better.
            cost = response.trace.cost or bill.spent("", response.trace)
            money = 0 if response.trace.cost else cost
        except RequestError as error:
            if nothing_computed(error, handled):
                actual, money = None, 0
            raise
        finally:
            # Charged without an answer, and not by a budget below that knows better.
            if below is not None and actual is most:
                if below.cost:
                    money = 0
                else:
                    below.cost = bill.most("", self.attempts)
            if request.spent is not None and below is not None:
                request.spent.add(below)
            self._accounts.spend(subject.purse, money)
            if ledger is not None:
                charged = [0] * len(quotas) if actual is None else actual
                self._accounts.settle(subject.purse, quotas, charged, most)
                if not await self._settle(ledger, id, actual, most):
                    # Charged in full, sooner or later.
                    rest = [max(0, bound - one) for bound, one in zip(most, charged, strict=True)]
                    self._accounts.settle(subject.purse, quotas, rest, [0] * len(quotas))
        if not cost:
            return response
        self._accounts.count("cost", cost)
        return response.traced(cost=cost)

    async def usage(
        self,
        *,
        user: str = "",
        tenant: str = "",
        model: str = "",
        purse: Literal["", "shadow", "refresh"] = "",
    ) -> list[QuotaUsage]:
        """
        How it stands with each quota that counts what somebody does.

        Args:
            user: Of the tenant.
            tenant: A request's scope.
            model: Its model.
            purse: What nobody waits for is accounted apart, by its priority.

        Raises:
            ServerUnavailable: If the ledger does not know.
        """
        subject = Subject(user, tenant, model, purse)
        quotas = [quota for quota in self.quotas if quota.counts(subject)]
        found = await self.ledger.usage([quota.claim(subject, 0) for quota in quotas])
        return [
            QuotaUsage(
                quota,
                quota.whose(subject),
                usage.settled,
                usage.reserved,
                max(0, quota.amount - usage.settled - usage.reserved),
                usage.violations,
            )
            for quota, usage in zip(quotas, found, strict=True)
        ]

    async def left(
        self, *, user: str = "", tenant: str = "", model: str = ""
    ) -> dict[Quota, Decimal]:
        """What is left of each quota, in calls, rows or money; see `usage`."""
        return {
            used.quota: Decimal(used.left) / (1 if used.quota.unit else MICRO)
            for used in await self.usage(user=user, tenant=tenant, model=model)
        }

    async def aclose(self) -> None:
        """Wait for what is being settled; then close the ledger and the prices."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(task for task in self._settling if task.get_loop() is loop))
        await self.costs.aclose()
        await self.ledger.aclose()

    async def _reserve(
        self,
        id: str,
        request: InferRequest,
        quotas: Sequence[Quota],
        subject: Subject,
        claims: Sequence[Claim],
    ) -> Ledger | None:
        """
        The ledger that holds the reservation; None where the request passes without one.

        Raises:
            BudgetExceeded: If it must not be made.
        """
        if any(claim.amount > MAX_AMOUNT for claim in claims):
            self._deny(request, "a request costs more than can be counted", math.inf)
            return None
        ttl = max(self.ttl, (request.remaining() or 0.0) + _GRACE)
        ledger = self.ledger
        try:
            outcome = await ledger.reserve(id, claims, ttl)
        except asyncio.CancelledError:
            # It may be made all the same, and nobody will use it.
            self._behind(ledger.release(id))
            raise
        if isinstance(outcome, Lost):
            self._accounts.count("lost")
            if self.on_loss == "fail_open":
                self._accounts.count("unaccounted")
                return None
            if self.on_loss == "fail_closed":
                reason = f"nobody knows what is left: {outcome.reason}"
                self._deny(request, reason, outcome.retry_after)
                return None
            ledger = self._local
            claims = [replace(c, limit=math.floor(c.limit * self.local_share)) for c in claims]
            outcome = await self._local.reserve(id, claims, ttl)
        if isinstance(outcome, Denied):
            quota, claim = quotas[outcome.claim], claims[outcome.claim]
            self._deny(request, _reason(quota, claim, subject, outcome), outcome.retry_after)
            return None
        self._accounts.count("granted")
        self._warn(quotas, claims, subject, outcome)
        return ledger

    def _deny(self, request: InferRequest, reason: str, retry_after: float) -> None:
        self._accounts.count("denied")
        if not self.dry_run:
            raise BudgetExceeded(reason, model=request.model, retry_after=retry_after)
        _log.info("dry run, not denied: %s", reason)
        self._accounts.count("unaccounted")

    async def _settle(
        self, ledger: Ledger, id: str, actual: Sequence[int] | None, most: Sequence[int]
    ) -> bool:
        if actual is None:
            self._accounts.count("released")
            work = ledger.release(id)
        else:
            if any(spent > bound for spent, bound in zip(actual, most, strict=True)):
                self._accounts.count("violations")
                _log.warning("a request cost %s, more than the %s reserved", actual, most)
            work = ledger.settle(id, [min(spent, MAX_AMOUNT) for spent in actual])
        if ledger.shared:
            # Whoever is cancelled meanwhile leaves no reservation open.
            done = await asyncio.shield(self._behind(work))
        else:
            done = await work
        if not done:
            self._accounts.count("unsettled")
        return done

    def _behind(self, work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        """Do it whatever becomes of the request."""
        task = asyncio.get_running_loop().create_task(work)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return task

    def _warn(
        self, quotas: Sequence[Quota], claims: Sequence[Claim], subject: Subject, grant: Grant
    ) -> None:
        for quota, claim, used in zip(quotas, claims, grant.used, strict=True):
            if used <= claim.limit * self.soft:
                continue
            if not self._warned.first(claim.scope, claim.window_us / 1e6):
                continue
            warning = BudgetWarning(quota, quota.whose(subject), used)
            if self._on_warning is None:
                _log.warning("%s", warning)
            else:
                self._on_warning(warning)


def _check_quotas(quotas: Sequence[Quota], costs: Pricing | None) -> None:
    if len({quota.key for quota in quotas}) < len(quotas):
        raise ConfigError(
            "quotas must differ in more than the limit, or have names, "
            f"but got {', '.join(map(str, quotas))}."
        )
    money = [quota for quota in quotas if not quota.unit]
    if money and costs is None:
        raise ConfigError(f"a quota of money needs costs=, but got none for {money[0]}.")
    if isinstance(costs, Costs) and costs.default is None:
        for quota in money:
            if quota.model and quota.model not in costs.prices:
                raise ConfigError(f"costs must have a price for the model of {quota}.")


def _reason(quota: Quota, claim: Claim, subject: Subject, denied: Denied) -> str:
    again = f"; again in {format_duration(denied.retry_after)}"
    left = format_amount(denied.left, quota.unit)
    local = "" if claim.limit == quota.amount else ", of which this process has a share"
    return (
        f"{quota.whose(subject)} may spend {quota}{local}: {left} left, "
        f"{format_amount(claim.amount, quota.unit)} needed"
        f"{again if math.isfinite(denied.retry_after) else ''}"
    )
