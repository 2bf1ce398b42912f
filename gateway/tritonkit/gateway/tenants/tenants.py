"""Who comes in, and how much of each."""

from __future__ import annotations

import hashlib
import hmac
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import NoReturn

from tritonkit.errors import ConfigError
from tritonkit.gateway.tenants.bucket import Bucket
from tritonkit.gateway.tenants.cells import Cells
from tritonkit.gateway.tenants.marks import Marks, marks
from tritonkit.gateway.tenants.refused import Refused
from tritonkit.gateway.tenants.rights import Right
from tritonkit.gateway.tenants.settings import EVERYBODY, Tenant
from tritonkit.gateway.tenants.tokens import digest
from tritonkit.units import format_duration, format_size

__all__ = ["Tenants"]

_WATCHING: frozenset[Right] = frozenset(("metrics", "live"))
"""Rights whose use is no load: whoever watches must see what happens when all is taken."""


class Tenants:
    """
    The door of the gateway.

        tenant = tenants.admit(headers, "infer")
        with tenants.flight(tenant):
            tenants.count_rows(tenant, rows)

    Rates and requests in flight hold for all workers of the gateway together where they
    have a file in common, and for this one otherwise. Several gateways each have their
    own: what must hold for all of them is a `Budget`, whose tenant is the scope.

    Args:
        tenants: None of them lets everybody in, with all rights but "admin".
        shared: A file that all workers open, in a folder of the gateway's own.
        worker: Number of this process, from 0.
        workers: How many there are.
        clock: Seconds that only grow, the same for all processes.

    Raises:
        ConfigError: If two tenants have one name or one token, or two are anonymous.
    """

    def __init__(
        self,
        tenants: Sequence[Tenant] = (),
        *,
        shared: Path | None = None,
        worker: int = 0,
        workers: int = 1,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.configured = tuple(tenants)
        self.refusals: Counter[tuple[str, str]] = Counter()
        """How many were turned away, by reason and by the tenant's name."""
        _check(self.configured)
        self._clock = clock
        self._secret = os.urandom(32)
        self._by_key = {
            self._key(each): (each, tenant) for tenant in self.configured for each in tenant.digests
        }
        anonymous = [tenant for tenant in self.configured if tenant.anonymous]
        self._anonymous = anonymous[0] if anonymous else None
        if not self.configured:
            self._anonymous = EVERYBODY
        # Of each tenant: when its buckets are full again, and what each worker has in flight.
        self._row = 2 + workers
        self._places = {tenant.name: n * self._row for n, tenant in enumerate(self.configured)}
        self._mine = 2 + worker
        self._cells = Cells(self._row * len(self.configured), shared)
        for place in self._places.values():
            # Whoever was this worker before has nothing in flight any more.
            self._cells[place + self._mine] = 0.0

    def __repr__(self) -> str:
        return f"Tenants({[tenant.name for tenant in self.configured]})"

    def admit(self, headers: Mapping[bytes, bytes], right: Right) -> Tenant:
        """
        Who it is that asks, where that one may.

        Args:
            headers: By name in lower case, as ASGI has them.
            right: For what.

        Raises:
            Refused: 401 without a token that is known, 403 without the right, 429 where
                it asks too often.
        """
        tenant = self.who(headers)
        if right not in tenant.rights:
            self._without(tenant, right)
        if tenant.requests is not None and right not in _WATCHING:
            self._take(tenant, tenant.requests, 0, 1, "requests")
        return tenant

    def who(self, headers: Mapping[bytes, bytes]) -> Tenant:
        """
        Whose token it is; nothing is counted but the refusal.

        Raises:
            Refused: 401 without one that is known.
        """
        header = headers.get(b"authorization")
        if not self.configured:
            return EVERYBODY
        if header is None:
            if self._anonymous is not None:
                return self._anonymous
            self._turn_away("needs a header 'Authorization: Bearer TOKEN'", None, 401, "token")
        scheme, _, token = header.partition(b" ")
        if scheme.lower() != b"bearer":
            self._turn_away("the header Authorization must be 'Bearer TOKEN'", None, 401, "token")
        # Found by a key that nobody else can compute, so that how long the search takes says
        # nothing of any token; compared as a whole after that.
        given = digest(token.strip())
        kept, tenant = self._by_key.get(self._key(given), (b"", None))
        if tenant is None or not hmac.compare_digest(kept, given):
            self._turn_away("the bearer token is none of this gateway's", None, 401, "token")
        return tenant

    def marks(self, tenant: Tenant, headers: Mapping[bytes, bytes]) -> Marks:
        """
        What the headers `X-Tritonkit-Tags`, `-Priority` and `-Timeout` say.

        Raises:
            Refused: 400 if one is wrong.
        """
        try:
            return marks(headers, tenant.tags)
        except ConfigError as error:
            self._turn_away(str(error), tenant, 400, "header")

    def check_right(self, tenant: Tenant, right: Right, why: str) -> None:
        """
        Whether the tenant has one more right, where there are tenants.

        Args:
            tenant: That was admitted.
            right: That what it asks needs besides.
            why: What for, such as "for shared memory".

        Raises:
            Refused: 401 or 403 where it has not.
        """
        if self.configured and right not in tenant.rights:
            self._without(tenant, right, f" {why}")

    def count_rows(self, tenant: Tenant, rows: int) -> None:
        """
        Take *rows* from the tenant's limit.

        Raises:
            Refused: 429 where there are too many now, 413 where there always would be.
        """
        if tenant.rows is not None:
            self._take(tenant, tenant.rows, 1, rows, "rows")

    def check_body(self, tenant: Tenant, size: int) -> None:
        """
        Whether the tenant may send so many bytes.

        Raises:
            Refused: 413 where it may not.
        """
        if tenant.max_body is not None and size > tenant.max_body:
            self._turn_away(
                f"tenant {tenant.name!r} may send {format_size(tenant.max_body)} a request",
                tenant,
                413,
                "body",
            )

    @contextmanager
    def flight(self, tenant: Tenant) -> Iterator[None]:
        """
        While a request of its is answered.

        Raises:
            Refused: 429 where it has as many in flight as it may.
        """
        if tenant.max_in_flight is None:
            yield
            return
        self._take_off(tenant, tenant.max_in_flight)
        try:
            yield
        finally:
            self._cells[self._places[tenant.name] + self._mine] -= 1

    def in_flight(self, tenant: Tenant) -> int:
        """Requests of all workers; 0 where none is counted, for want of a limit."""
        place = self._places.get(tenant.name)
        if place is None:
            return 0
        return int(sum(self._cells[place + n] for n in range(2, self._row)))

    def close(self) -> None:
        """Let go of the file."""
        self._cells.close()

    def _without(self, tenant: Tenant, right: Right, why: str = "") -> NoReturn:
        has = ", ".join(sorted(tenant.rights)) or "none"
        if not tenant.name:
            message = f"the gateway gives nobody the right {right!r} without a tenant's token"
        elif tenant.anonymous:
            message = f"needs a header 'Authorization: Bearer TOKEN'{why}: others may {has} only"
            self._turn_away(message, tenant, 401, "token")
        else:
            message = f"tenant {tenant.name!r} has not the right {right!r}{why}, but {has}"
        self._turn_away(message, tenant, 403, "right")

    def _take_off(self, tenant: Tenant, most: int) -> None:
        place = self._places[tenant.name]
        with self._cells.alone():
            if self.in_flight(tenant) < most:
                self._cells[place + self._mine] += 1
                return
        self._turn_away(
            f"tenant {tenant.name!r} may have {most} requests in flight, and has",
            tenant,
            429,
            "in_flight",
            retry_after=1.0,
        )

    def _take(self, tenant: Tenant, bucket: Bucket, cell: int, tokens: int, of: str) -> None:
        cell += self._places[tenant.name]
        with self._cells.alone():
            self._cells[cell], wait = bucket.take(self._cells[cell], self._clock(), tokens)
        if wait == 0:
            return
        limit = f"tenant {tenant.name!r} may ask {bucket.rate:g} {of} a second"
        if not math.isinf(wait):
            again = f"again in {format_duration(wait)}"
            self._turn_away(f"{limit}; {again}", tenant, 429, of, retry_after=wait)
        if tokens > bucket.burst > 0:
            most = f"and {bucket.burst:g} at once, but got {tokens}"
            self._turn_away(f"{limit} {most}", tenant, 413, of)
        self._turn_away(limit, tenant, 429, of)

    def _turn_away(
        self,
        message: str,
        tenant: Tenant | None,
        status: int,
        reason: str,
        retry_after: float | None = None,
    ) -> NoReturn:
        name = "" if tenant is None else tenant.name
        self.refusals[reason, name] += 1
        raise Refused(message, status=status, reason=reason, retry_after=retry_after, tenant=name)

    def _key(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._secret, digest_size=16).digest()


def _check(tenants: Sequence[Tenant]) -> None:
    names: set[str] = set()
    owners: dict[bytes, str] = {}
    anonymous = [tenant.name for tenant in tenants if tenant.anonymous]
    if len(anonymous) > 1:
        raise ConfigError(f"anonymous must be one tenant at most, but got {anonymous}.")
    for tenant in tenants:
        if tenant.name in names:
            raise ConfigError(f"name must be each tenant's own, but got {tenant.name!r} twice.")
        names.add(tenant.name)
        for each in tenant.digests:
            other = owners.setdefault(each, tenant.name)
            if other != tenant.name:
                raise ConfigError(
                    f"token must be each tenant's own, but {other!r} and {tenant.name!r} share one."
                )
