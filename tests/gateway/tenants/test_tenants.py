"""Who is let in, with what, and who is not."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tritonkit.client.types import InferRequest
from tritonkit.errors import ConfigError
from tritonkit.gateway.tenants.refused import Refused
from tritonkit.gateway.tenants.rights import RIGHTS, Right
from tritonkit.gateway.tenants.settings import EVERYBODY, Tenant
from tritonkit.gateway.tenants.stamped import stamped
from tritonkit.gateway.tenants.tenants import Tenants
from tritonkit.gateway.tenants.tokens import new_token

ALPHA, BETA = "alpha-0123456789abcdef", "beta-0123456789abcdef="
REQUEST = InferRequest(model="m", inputs={"x": np.zeros((2, 1))})


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def bearer(token: str, **more: str) -> dict[bytes, bytes]:
    named = {f"x-tritonkit-{name}".encode(): value.encode() for name, value in more.items()}
    return {b"authorization": f"Bearer {token}".encode(), **named}


def refusal(tenants: Tenants, headers: dict[bytes, bytes], right: Right = "infer") -> Refused:
    with pytest.raises(Refused) as refused:
        tenants.admit(headers, right)
    return refused.value


def test_without_tenants_everybody_may_all_but_administer() -> None:
    tenants = Tenants()
    for right in RIGHTS:
        if right != "admin":
            assert tenants.admit({}, right) is EVERYBODY
    assert refusal(tenants, {}, "admin").status == 403
    assert (EVERYBODY.name, EVERYBODY.scope, dict(EVERYBODY.tags)) == ("", "", {})
    with tenants.flight(EVERYBODY):
        tenants.count_rows(EVERYBODY, 10**6)
        tenants.check_body(EVERYBODY, 10**12)


def test_a_token_is_its_tenants_and_several_are_for_rotation() -> None:
    token, digest = new_token()
    alpha = Tenant("alpha", token=[ALPHA, ALPHA + "2"], token_sha256=digest)
    beta = Tenant("beta", token_sha256=hashlib.sha256(BETA.encode()).hexdigest())
    tenants = Tenants([alpha, beta])
    for mine in (ALPHA, ALPHA + "2", token):
        assert tenants.admit(bearer(mine), "infer") is alpha
    assert tenants.admit({b"authorization": b"bEARER  " + BETA.encode()}, "infer") is beta
    # Neither what was configured nor what is kept shows a token.
    assert ALPHA not in repr(alpha) + str(alpha.digests)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "needs a header 'Authorization: Bearer TOKEN'"),
        ({b"authorization": b"Basic YTpi"}, "must be 'Bearer TOKEN'"),
        ({b"authorization": b""}, "must be 'Bearer TOKEN'"),
        (bearer(ALPHA[:-1]), "none of this gateway's"),
        (bearer(""), "none of this gateway's"),
        ({b"authorization": b"Bearer \xff\x00" + b"x" * 10_000}, "none of this gateway's"),
    ],
)
def test_who_is_unknown_is_told_how_to_come(headers: dict[bytes, bytes], says: str) -> None:
    tenants = Tenants([Tenant("alpha", token=ALPHA)])
    refused = refusal(tenants, headers)
    assert (refused.status, refused.reason) == (401, "token")
    assert says in str(refused)
    assert refused.headers() == [(b"www-authenticate", b'Bearer realm="tritonkit"')]
    assert tenants.refusals == {("token", ""): 1}


def test_one_may_come_without_a_token_and_a_wrong_one_is_wrong_all_the_same() -> None:
    anyone = Tenant("anyone", anonymous=True, rights=["metrics"])
    tenants = Tenants([Tenant("alpha", token=ALPHA), anyone])
    assert tenants.admit({}, "metrics") is anyone
    refused = refusal(tenants, {})
    assert (refused.status, "others may metrics only" in str(refused)) == (401, True)
    assert refusal(tenants, bearer("wrong-0123456789abcdef"), "metrics").status == 401


def test_rights_are_what_the_file_says() -> None:
    plain, boss = Tenant("plain", token=ALPHA), Tenant("boss", token=BETA, admin=True)
    tenants = Tenants([plain, boss])
    refused = refusal(tenants, bearer(ALPHA), "admin")
    assert (refused.status, refused.tenant) == (403, "plain")
    assert "has not the right 'admin', but infer, jobs, outcomes, read" in str(refused)
    assert tenants.admit(bearer(BETA), "admin") is boss


def test_too_many_requests_are_told_when_to_come_again() -> None:
    clock = Clock()
    alpha = Tenant("alpha", token=ALPHA, requests_per_second=0.5, burst=2, rights=RIGHTS)
    tenants = Tenants([alpha, Tenant("beta", token=BETA)], clock=clock)
    for _ in range(2):
        tenants.admit(bearer(ALPHA), "infer")
    refused = refusal(tenants, bearer(ALPHA))
    assert (refused.status, refused.reason) == (429, "requests")
    assert refused.headers() == [(b"retry-after", b"2")]
    # Others are not concerned, nor is who only watches.
    tenants.admit(bearer(BETA), "infer")
    tenants.admit(bearer(ALPHA), "metrics")
    clock.now += 2
    tenants.admit(bearer(ALPHA), "infer")
    assert tenants.refusals == {("requests", "alpha"): 1}


def test_rows_have_a_limit_of_their_own() -> None:
    clock = Clock()
    alpha = Tenant("alpha", token=ALPHA, rows_per_second=10)
    tenants = Tenants([alpha], clock=clock)
    tenants.count_rows(alpha, 10)
    with pytest.raises(Refused, match="10 rows a second; again in 300ms") as refused:
        tenants.count_rows(alpha, 3)
    assert refused.value.headers() == [(b"retry-after", b"1")]
    with pytest.raises(Refused, match="and 10 at once, but got 11") as refused:
        tenants.count_rows(alpha, 11)
    assert (refused.value.status, refused.value.headers()) == (413, [])
    clock.now += 0.3
    tenants.count_rows(alpha, 3)


def test_nothing_is_a_limit_too() -> None:
    tenants = Tenants([none := Tenant("none", token=ALPHA, requests_per_second=0, max_in_flight=0)])
    assert refusal(tenants, bearer(ALPHA)).headers() == []
    with pytest.raises(Refused, match="may have 0 requests in flight"), tenants.flight(none):
        pass


def test_workers_share_rates_and_flights_and_a_restart_frees_what_was_in_flight(
    tmp_path: Path,
) -> None:
    clock = Clock()
    alpha = Tenant("alpha", token=ALPHA, requests_per_second=1, burst=2, max_in_flight=2)

    def worker(number: int) -> Tenants:
        shared = tmp_path / "tenants"
        return Tenants([alpha], shared=shared, worker=number, workers=2, clock=clock)

    first, second = worker(0), worker(1)
    first.admit(bearer(ALPHA), "infer")
    second.admit(bearer(ALPHA), "infer")
    assert refusal(first, bearer(ALPHA)).status == 429
    dying = first.flight(alpha)
    dying.__enter__()
    with second.flight(alpha):
        assert (first.in_flight(alpha), second.in_flight(alpha)) == (2, 2)
        with pytest.raises(Refused) as refused, second.flight(alpha):
            pass
        assert (refused.value.reason, refused.value.headers()) == (
            "in_flight",
            [(b"retry-after", b"1")],
        )
    first.close()
    again = worker(0)
    assert again.in_flight(alpha) == 0
    assert refusal(again, bearer(ALPHA)).status == 429
    again.close()
    second.close()


def test_a_request_is_in_its_tenants_scope_with_its_tags() -> None:
    alpha = Tenant("alpha", token=ALPHA, tags={"plan": "free"}, timeout="2s")
    tenants = Tenants([alpha])
    headers = bearer(ALPHA, tags="user=u17, city=S%C3%A3o%2C Paulo", priority="batch")
    made = stamped(REQUEST, alpha, tenants.marks(alpha, headers), 100.0)
    assert made.scope == "alpha"
    assert made.tags == {
        "tenant": "alpha", "plan": "free", "user": "u17", "city": "São, Paulo"
    }  # fmt: skip
    assert (made.priority, made.deadline) == ("batch", 102.0)
    sooner = stamped(REQUEST, alpha, tenants.marks(alpha, bearer(ALPHA, timeout="80ms")), 100.0)
    assert sooner.deadline == 100.08
    assert sooner.tags is alpha.tags
    plain = stamped(REQUEST, EVERYBODY, tenants.marks(EVERYBODY, {}), 100.0)
    assert (plain.scope, plain.deadline, plain.priority) == ("", None, "live")
    raw = tenants.marks(alpha, {b"x-tritonkit-tags": "user=Jürgen".encode()})
    assert raw.tags == {"user": "Jürgen"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("tags", "tenant=other", "cannot set 'tenant'"),
        ("tags", "purse=caller", "cannot set 'purse'"),
        ("tags", "plan=paid", "cannot set 'plan'"),
        ("tags", "user", "must be pairs"),
        ("tags", "", "must be pairs"),
        ("tags", "user=", "values of 1 to 128"),
        ("tags", "user=" + "x" * 129, "values of 1 to 128"),
        ("tags", "user=%00", "printable"),
        ("tags", "user=%ff", "must be UTF-8"),
        ("tags", "user=a,user=b", "'user' twice"),
        ("tags", "us er=a", "must have names"),
        ("tags", ",".join(f"t{n}=1" for n in range(17)), "must be 16 at most"),
        ("tags", "t=" + "x" * 3000, "2048 bytes at most"),
        ("priority", "shadow", "must be 'live' or 'batch'"),
        ("timeout", "80", "needs a unit"),
        ("timeout", "-1s", "must be a number"),
        ("timeout", "25h", "24h at most"),
    ],
)
def test_headers_of_ours_are_read_strictly(name: str, value: str, says: str) -> None:
    alpha = Tenant("alpha", token=ALPHA, tags={"plan": "free"})
    tenants = Tenants([alpha])
    with pytest.raises(Refused) as refused:
        tenants.marks(alpha, bearer(ALPHA, **{name: value}))
    assert refused.value.status == 400
    assert says in str(refused.value)


def test_half_a_character_in_a_tag_is_refused() -> None:
    tenants = Tenants([])
    with pytest.raises(Refused, match="must be UTF-8"):
        tenants.marks(EVERYBODY, {b"x-tritonkit-tags": b"user=\xc3"})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "a b"}, "name must be"),
        ({"name": ""}, "name must be"),
        ({"token": ()}, "token must be given"),
        ({"token": "short"}, "at least 16 characters, but got 5"),
        ({"token": "with a blank 0123456789"}, "RFC 6750"),
        ({"token_sha256": "abc"}, "64 hexadecimal digits, but got 3 characters"),
        ({"token_sha256": BETA}, "a token itself goes to 'token'"),
        ({"anonymous": True}, "anonymous must be false"),
        ({"rights": ["infer", "fly"]}, "rights must be out of .*, but got 'fly'"),
        ({"rights": "infer"}, "rights must be out of .*, but got 'infer'"),
        ({"requests_per_second": -1}, "requests_per_second must be finite and not negative"),
        ({"burst": 3}, "burst needs requests_per_second"),
        ({"rows_per_second": 1, "rows_burst": -1}, "rows_burst must not be negative"),
        ({"max_in_flight": -1}, "max_in_flight must not be negative"),
        ({"max_body": "4"}, "max_body needs a unit"),
        ({"timeout": "soon"}, "timeout must be a number with a unit"),
        ({"tags": {"tenant": "x"}}, "tags cannot set 'tenant'"),
    ],
)
def test_a_tenant_that_makes_no_sense_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        Tenant(**{"name": "alpha", "token": ALPHA, **options})
    assert "0123456789" not in str(error.value)


def test_tenants_are_told_apart() -> None:
    alpha = Tenant("alpha", token=ALPHA)
    with pytest.raises(ConfigError, match="got 'alpha' twice"):
        Tenants([alpha, Tenant("alpha", token=BETA)])
    with pytest.raises(ConfigError, match="'alpha' and 'beta' share one"):
        Tenants([alpha, Tenant("beta", token=[BETA, ALPHA])])
    with pytest.raises(ConfigError, match="one tenant at most"):
        Tenants([Tenant("a", anonymous=True), Tenant("b", anonymous=True)])
