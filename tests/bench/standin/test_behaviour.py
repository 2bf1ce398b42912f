"""The stand-in itself, against theory: only then is its log a truth to measure by."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.request
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats


def served(behaviour: ModuleType, arrivals: list[int], **script: Any) -> list[Any]:
    """Requests in the order of leaving, each looked for at its very instant."""
    server = behaviour.Behaviour(behaviour.Script(**script))
    left: list[Any] = []
    waiting = iter([*arrivals, 1 << 62])
    arrival = next(waiting)
    while arrival < 1 << 62 or server.due() is not None:
        due = server.due()
        if due is not None and due <= arrival:
            left += server.leaving(due)
        else:
            server.arrive(arrival)
            arrival = next(waiting)
    return left


def poisson(rate: float, count: int, seed: int = 5) -> list[int]:
    gaps = np.random.default_rng(seed).exponential(1e9 / rate, count)
    return np.cumsum(gaps).astype(np.int64).tolist()


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (3, 0.7)])
def test_a_queue_waits_as_erlang_says(behaviour: ModuleType, servers: int, load: float) -> None:
    """
    M/M/c: the share that waits is Erlang's C, and the mean wait C / (c mu - lambda).

    Waits of one busy period go together, so 60,000 requests know the share to about
    0.01 and the mean to about 5 %: three standard errors over seeds, tried apart.
    """
    mean, count = 0.01, 60_000
    rate = load * servers / mean
    done = served(
        behaviour, poisson(rate, count), service=("exponential", mean), servers=servers, seed=3
    )
    waits = np.array([request.start - request.arrival for request in done]) / 1e9
    offered = load * servers
    tail = offered**servers / math.factorial(servers) / (1 - load)
    erlang = tail / (sum(offered**k / math.factorial(k) for k in range(servers)) + tail)
    assert (waits > 0).mean() == pytest.approx(erlang, abs=0.015)
    assert waits.mean() == pytest.approx(erlang / (servers / mean - rate), rel=0.08)


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (("exponential", 0.02), stats.expon(scale=0.02)),
        (("lognormal", 0.02, 0.5), stats.lognorm(0.5, scale=0.02)),
    ],
)
def test_service_times_are_of_their_distribution(
    behaviour: ModuleType, service: tuple[Any, ...], expected: Any
) -> None:
    done = served(behaviour, [1] * 4000, service=service, seed=11)
    times = np.array([request.planned - request.start for request in done]) / 1e9
    # The seed is fixed: this is one draw that is neither luck nor fails again.
    assert stats.kstest(times, expected.cdf).pvalue > 0.01


def test_two_kinds_of_requests_have_their_shares(behaviour: ModuleType) -> None:
    done = served(behaviour, [1] * 4000, service=("bimodal", 0.005, 0.05, 0.1), seed=2)
    slow = sum(request.planned - request.start == 50_000_000 for request in done)
    # Three standard deviations of a binomial: 3 * sqrt(4000 * 0.1 * 0.9) = 57.
    assert abs(slow - 400) <= 57


def test_answers_of_a_stall_leave_at_its_end(behaviour: ModuleType) -> None:
    arrivals = [1_000_000_000 + k * 100_000_000 for k in range(10)]
    done = served(behaviour, arrivals, service=("constant", 0.01), stalls=[(0.35, 0.4)])
    seconds = [round((r.planned - arrivals[0]) / 1e9, 3) for r in done]
    assert seconds == [0.01, 0.11, 0.21, 0.31, 0.75, 0.75, 0.75, 0.75, 0.81, 0.91]


def test_batches_are_full_or_their_window_is_over(behaviour: ModuleType) -> None:
    """Window 10 ms, at most 3 rows, 5 ms and 1 ms a row; the model runs one at a time."""
    milliseconds = [0, 1, 2, 3, 50, 55, 100]
    arrivals = [1_000_000_000 + m * 1_000_000 for m in milliseconds]
    done = served(behaviour, arrivals, window=0.010, max_batch=3, batch_cost=(0.005, 0.001), seed=0)
    rows = [(r.batch, (r.start - arrivals[0]) / 1e6, (r.planned - arrivals[0]) / 1e6) for r in done]
    assert rows == [
        *[(3, 2.0, 10.0)] * 3,
        (1, 13.0, 19.0),
        *[(2, 60.0, 67.0)] * 2,
        (1, 110.0, 116.0),
    ]


def test_failures_come_as_scripted(behaviour: ModuleType) -> None:
    done = served(behaviour, [1] * 100, fail_every=7, close_every=10)
    ends = [request.ends for request in done]
    assert ends.count(behaviour.CLOSED) == 10
    assert ends.count(behaviour.FAILED) == 14 - 1  # the 70th is closed instead
    assert served(behaviour, [1] * 100, silent=True) == []


def test_the_process_says_what_it_served(standin: Any) -> None:
    standin.play(service=["constant", 0.002], fail_every=3)
    body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 4]}]}).encode()
    url = f"{standin.url}/v2/models/standin"
    answers: list[bytes] = []
    for _ in range(6):
        try:
            with urllib.request.urlopen(f"{url}/infer", data=body) as reply:
                answers.append(reply.read())
        except urllib.error.HTTPError as error:
            answers.append(error.read())
    log = standin.log()
    # Two rows of four zeros stand at the end of an answer.
    assert [answer[-32:] == bytes(32) for answer in answers] == [True, True, False] * 2
    assert answers[2] == b'{"error": "planted failure"}'
    assert log.rows.tolist() == [2] * 6
    assert ((log.planned - log.arrival) == 2_000_000).all()
    assert (log.departure >= log.planned).all()
    with urllib.request.urlopen(f"{url}/stats") as reply:
        (counted,) = json.load(reply)["model_stats"]
    assert counted["inference_count"] == 8
    assert counted["inference_stats"]["fail"]["count"] == 2
    assert counted["inference_stats"]["compute_infer"] == {"count": 4, "ns": 8_000_000}
