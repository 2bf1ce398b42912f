"""A tenant, as the policy file has it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.gateway.tenants.bucket import Bucket
from tritonkit.gateway.tenants.marks import check_tags
from tritonkit.gateway.tenants.rights import EVERYBODYS, RIGHTS, Right
from tritonkit.gateway.tenants.tokens import digest_of, read_digest
from tritonkit.units import parse_duration, parse_size

__all__ = ["EVERYBODY", "Tenant"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_USUAL: tuple[Right, ...] = ("infer", "read", "jobs", "outcomes")


@dataclass(frozen=True, slots=True, init=False)
class Tenant:
    """
    Who asks: an application, a team, a customer.

        [gateway.tenants.shop]
        token = "${SHOP_TOKEN}"
        requests_per_second = 50

    Args:
        name: Letters, digits and any of "_.-"; in logs, metrics and the tag "tenant".
        token: Its bearer token, or several, so that a new one can be rolled out before the
            old one is gone. Only digests are kept.
        token_sha256: SHA-256 of a token in hexadecimal digits, or of several, where even
            the file is not to have the token.
        anonymous: Whether this is who comes without any token. Of one tenant at most.
        rights: Out of "infer", "read", "jobs", "outcomes", "metrics", "live" and "admin".
        admin: The right "admin" in addition: what changes a Triton.
        scope: Within which kept answers are shared, and which budgets count as one tenant;
            its name by default, so that nothing is shared with others.
        tags: Of every request of its, such as {"team": "search"}; its callers cannot change them.
        requests_per_second: The most, in the long run; None for no limit. Questions for a
            model, jobs, outcomes and metadata count, the live page and metrics do not.
        burst: Requests at once after a quiet time; a second's worth by default, 1 at least.
        rows_per_second: The same of the rows that a model is asked for.
        rows_burst: Rows at once; a request of more is refused. A second's worth by default.
        max_body: Bytes of a request, "4MB"; None leaves it to the gateway's own limit.
        max_in_flight: Requests at a time; None for no limit.
        timeout: The longest that a request of its may take; None leaves it to the caller.
        trace: Whether it is told where answers came from and what they cost, in the
            header `X-Tritonkit-Trace`.

    Raises:
        ConfigError: If an argument is wrong. No message shows a token.
    """

    name: str
    digests: tuple[bytes, ...]
    anonymous: bool
    rights: frozenset[Right]
    scope: str
    tags: Mapping[str, str] = field(hash=False)
    requests: Bucket | None
    rows: Bucket | None
    max_body: int | None
    max_in_flight: int | None
    timeout: float | None
    trace: bool

    def __init__(
        self,
        name: str,
        *,
        token: str | Sequence[str] = (),
        token_sha256: str | Sequence[str] = (),
        anonymous: bool = False,
        rights: Sequence[Right] = _USUAL,
        admin: bool = False,
        scope: str | None = None,
        tags: Mapping[str, str] | None = None,
        requests_per_second: float | None = None,
        burst: int | None = None,
        rows_per_second: float | None = None,
        rows_burst: int | None = None,
        max_body: str | int | None = None,
        max_in_flight: int | None = None,
        timeout: str | float | timedelta | None = None,
        trace: bool = True,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                "name must be 1 to 64 letters, digits and any of _.- with a letter or a digit "
                f"first, but got {name!r}."
            )
        digests = (
            *map(digest_of, _several(token)),
            *map(read_digest, _several(token_sha256)),
        )
        if anonymous and digests:
            raise ConfigError(f"anonymous must be false where there is a token, but got {name=}.")
        wrong = [right for right in rights if right not in RIGHTS]
        if isinstance(rights, str) or wrong:
            got = rights if isinstance(rights, str) else wrong[0]
            raise ConfigError(f"rights must be out of {', '.join(RIGHTS)}, but got {got!r}.")
        if max_in_flight is not None and max_in_flight < 0:
            raise ConfigError(f"max_in_flight must not be negative, but got {max_in_flight!r}.")
        check_tags(tags or {})
        self._put(
            name=name,
            digests=tuple(dict.fromkeys(digests)),
            anonymous=anonymous,
            rights=frozenset((*rights, "admin") if admin else rights),
            scope=name if scope is None else scope,
            tags={**(tags or {}), "tenant": name},
            requests=_bucket("requests_per_second", requests_per_second, "burst", burst),
            rows=_bucket("rows_per_second", rows_per_second, "rows_burst", rows_burst),
            max_body=None if max_body is None else parse_size(max_body, name="max_body"),
            max_in_flight=max_in_flight,
            timeout=None if timeout is None else parse_duration(timeout, name="timeout"),
            trace=trace,
        )
        # Last, so that all else is found where a token could not be read.
        if not anonymous and not digests:
            raise ConfigError(
                f"token must be given, or token_sha256, or anonymous = true, but tenant {name!r} "
                "has none of them."
            )

    def _put(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def everybody(cls) -> Tenant:
        """Whoever comes, where no tenants are configured."""
        tenant = cls("everybody", anonymous=True, rights=sorted(EVERYBODYS))
        # No name and no scope: answers are shared, and nothing is told apart.
        tenant._put(name="", scope="", tags={})
        return tenant

    def __repr__(self) -> str:
        return f"Tenant({self.name!r}, rights={sorted(self.rights)})"


def _several(value: str | Sequence[str]) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value


def _bucket(
    rate_name: str, rate: float | None, burst_name: str, burst: int | None
) -> Bucket | None:
    if rate is None:
        if burst is not None:
            raise ConfigError(f"{burst_name} needs {rate_name}, but got {burst_name}={burst!r}.")
        return None
    if not math.isfinite(rate) or rate < 0:
        raise ConfigError(f"{rate_name} must be finite and not negative, but got {rate!r}.")
    if burst is None:
        # 0 a second means that nothing is let through, not one.
        burst = 0 if rate == 0 else max(1, math.ceil(rate))
    if burst < 0:
        raise ConfigError(f"{burst_name} must not be negative, but got {burst!r}.")
    return Bucket(rate, burst)


EVERYBODY = Tenant.everybody()
"""The tenant where none is configured: no name, no scope, all rights but "admin"."""
