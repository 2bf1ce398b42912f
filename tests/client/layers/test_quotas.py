"""What may be spent, and what requests cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tritonkit.client import InferRequest
from tritonkit.client.layers.budget.cost import Bill, Costs, Price
from tritonkit.client.layers.budget.limits import Quota, Subject, format_amount
from tritonkit.client.layers.budget.measured import ComputeTime
from tritonkit.client.ledgers.ledger import MAX_AMOUNT
from tritonkit.client.trace import UNSEEN, Trace
from tritonkit.errors import ConfigError


def request(**inputs: Any) -> InferRequest:
    return InferRequest(model="m", inputs=inputs or {"x": np.zeros((3, 1), np.float32)})


@pytest.mark.parametrize(
    ("limit", "amount", "unit"),
    [
        ("20 calls", 20, "calls"),
        ("1 call", 1, "calls"),
        ("1000rows", 1000, "rows"),
        ("5.00", 5_000_000, ""),
        (".5", 500_000, ""),
        ("0", 0, ""),
        ("0 calls", 0, "calls"),
        (0, 0, ""),
        (0.1, 100_000, ""),
        (Decimal("0.000001"), 1, ""),
        (10**9, MAX_AMOUNT, ""),
    ],
)
def test_limits_as_people_write_them(limit: Any, amount: int, unit: str) -> None:
    quota = Quota(limit, window="1h")
    assert (quota.amount, quota.unit, quota.window_us) == (amount, unit, 3600 * 10**6)


@pytest.mark.parametrize(
    "limit",
    [
        math.nan,
        math.inf,
        -math.inf,
        "nan",
        "inf",
        "-1",
        -1,
        -0.5,
        True,
        None,
        "",
        "calls",
        "1e400",
        1e300,
        10**9 + 1,
        f"{MAX_AMOUNT + 1} calls",
        "1.5 calls",
        "0.0000001",
        "5 apples",
        Decimal("NaN"),
        Decimal("Infinity"),
        "1,000",
    ],
)
def test_limits_that_are_none(limit: Any) -> None:
    with pytest.raises(ConfigError, match="limit"):
        Quota(limit, window="1h")


@pytest.mark.parametrize(
    "options",
    [{"window": "0s"}, {"window": "400d"}, {"window": math.nan}, {"window": "1h", "per": "cat"}],
)
def test_quotas_that_are_none(options: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"window|per"):
        Quota("1", **options)


def test_a_quota_reads_as_it_was_meant() -> None:
    assert str(Quota("20 calls", per="user", model="large", window="1h")) == (
        "20 calls of large per user in 1h"
    )
    assert str(Quota("5.00", window="1d")) == "5 in 1d"
    assert format_amount(1_500_001, "") == "1.500001"
    assert format_amount(1, "rows") == "1 row"


TEXTS = st.text(max_size=4) | st.sampled_from(["a", "a:b", ":", "%3A", "\udc80", ""])
SUBJECTS = st.builds(
    Subject, user=TEXTS, tenant=TEXTS, model=TEXTS, purse=st.sampled_from(["", "shadow"])
)


@given(SUBJECTS, SUBJECTS, st.sampled_from(["user", "tenant", "model", "global"]))
def test_scopes_are_one_where_their_owner_is_one(one: Subject, two: Subject, per: Any) -> None:
    """Whatever characters a name has: it never spends what is another's."""
    quota = Quota("1", per=per, window="1h")
    owners: dict[str, Callable[[Subject], object]] = {
        "user": lambda s: (s.purse, s.tenant, s.user),
        "tenant": lambda s: (s.purse, s.tenant),
        "model": lambda s: (s.purse, s.model),
        "global": lambda s: s.purse,
    }
    owner = owners[per]
    same = quota.claim(one, 1).scope == quota.claim(two, 1).scope
    assert same == (owner(one) == owner(two))


@given(TEXTS, TEXTS)
def test_quotas_for_different_models_have_different_scopes(one: str, two: str) -> None:
    assume(one != two)
    subject = Subject()
    scopes = {Quota("1", model=m, window="1h").claim(subject, 1).scope for m in (one, two)}
    assert len(scopes) == 2


def test_prices_add_up_by_call_row_and_token() -> None:
    """A fraction of a millionth is rounded up, once a row."""
    price = Price(call="0.001", row="0.0001", token="0.0000001")
    text = np.array([["two words"], ["one"], [b"now it is four"]], dtype=np.object_)
    bill = price.bill(request(text=text))
    assert bill == Bill((101, 101, 101), call=1000)
    assert bill.most("") == 1303
    assert (bill.most("calls"), bill.most("rows"), bill.most("", 2)) == (1, 3, 2606)


def test_tokens_are_counted_where_they_are() -> None:
    ids = np.ones((2, 5), np.int64)
    mask = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]])
    price = Price(token=1)
    assert price.bill(request(input_ids=ids)).rows == (5_000_000, 5_000_000)
    assert price.bill(request(input_ids=ids, attention_mask=mask)).rows == (2_000_000, 5_000_000)
    assert price.bill(request(text=np.array(["a b c", ""], object))).rows == (3_000_000, 0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, "1 call", "x", 10**10, True])
def test_prices_that_are_none(value: Any) -> None:
    with pytest.raises(ConfigError, match="row"):
        Price(row=value)


def test_a_model_without_a_price_is_not_free() -> None:
    """It is not known what it costs."""
    assert not Costs({"other": Price(call=1)}).bill(request()).known
    assert Costs(default=Price(call=1)).bill(request()).known


@pytest.mark.parametrize(
    ("trace", "calls", "rows", "cost"),
    [
        (UNSEEN, 1, 3, 70),
        (Trace(origins=("model", "memory", "model")), 1, 2, 50),
        (Trace(origins=("model", "coalesced", "coalesced")), 1, 1, 20),
        (Trace(origins=("memory", "redis", "stale")), 0, 0, 0),
        (Trace(origins=("memory",)), 0, 0, 0),
        (Trace(origins=("model",)), 1, 3, 70),
        (Trace(attempts=1), 1, 3, 70),
        (Trace(attempts=2), 2, 6, 140),
    ],
)
def test_only_what_the_model_computed_is_spent(
    trace: Trace, calls: int, rows: int, cost: int
) -> None:
    bill = Bill((10, 20, 30), call=10)
    assert [bill.spent(unit, trace) for unit in ("calls", "rows", "")] == [calls, rows, cost]


def test_seconds_per_row_follow_the_counters() -> None:
    """Of late: what was before the last question does not count; a reload begins anew."""
    time = ComputeTime()
    time.learn([entry(0, 0)])
    assert time.seconds is None
    time.learn([entry(10, 10 * 10**6)])
    assert time.seconds == pytest.approx(0.001)
    time.learn([entry(20, 40 * 10**6)])
    assert time.seconds == pytest.approx(0.003)
    time.learn([entry(20, 40 * 10**6)])
    assert time.seconds == pytest.approx(0.003)
    time.learn([entry(2, 10 * 10**6)])
    assert time.seconds == pytest.approx(0.005)


def entry(rows: int, ns: int) -> dict[str, Any]:
    """As JSON from gRPC has it: large numbers are text."""
    parts = ("compute_input", "compute_infer", "compute_output")
    shares = zip(parts, (ns // 10, ns * 8 // 10, ns // 10), strict=True)
    return {
        "inference_count": str(rows),
        "inference_stats": {part: {"count": "1", "ns": str(share)} for part, share in shares},
    }


def test_a_batch_counts_once_whoevers_rows_it_has() -> None:
    """Triton adds its time to each request in it; its own counter does not."""
    batch = {part: {"count": 2, "ns": 10**6} for part in ("compute_infer", "compute_input")}
    time = ComputeTime()
    time.learn([{**entry(8, 16 * 10**6), "batch_stats": [{"batch_size": 4, **batch}]}])
    assert time.seconds == pytest.approx(2 * 10**6 / 8 / 1e9)
