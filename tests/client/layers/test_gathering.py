"""When gathered calls are sent: on a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client.layers.coalesce.gathering import AT_ONCE, Gathering

WINDOW = 2.0


def gathering(*, max_rows: int = 8, max_in_flight: int = 2) -> Gathering[str]:
    return Gathering(max_rows=max_rows, window=WINDOW, max_in_flight=max_in_flight)


def test_a_call_is_due_at_once_where_nothing_is_in_flight() -> None:
    calls = gathering()
    assert calls.due() is None
    calls.add("a", 1, now=5.0)
    assert calls.due() == AT_ONCE
    assert calls.take(5.0) == [["a"]]
    assert calls.due() is None
    assert not calls.idle


def test_the_next_wait_for_the_window() -> None:
    calls = gathering()
    calls.add("a", 1, now=0.0)
    calls.take(0.0)
    calls.add("b", 1, now=1.0)
    calls.add("c", 1, now=2.0)
    assert calls.due() == 3.0
    assert calls.take(2.9) == []
    assert calls.take(3.0) == [["b", "c"]]


def test_or_for_the_one_in_flight_to_come_back() -> None:
    calls = gathering(max_in_flight=3)
    for name in "ab":
        calls.add(name, 8, now=0.0)
        calls.take(0.0)
    calls.add("c", 1, now=1.0)
    calls.ended()
    assert calls.due() == AT_ONCE
    assert calls.take(1.0) == [["c"]]


def test_what_comes_after_one_came_back_waits_for_its_own_window() -> None:
    calls = gathering(max_in_flight=3)
    for name in "ab":
        calls.add(name, 8, now=0.0)
        calls.take(0.0)
    calls.add("c", 1, now=1.0)
    calls.ended()
    calls.remove("c")
    calls.add("d", 1, now=1.5)
    assert calls.due() == 3.5


def test_a_full_request_never_waits() -> None:
    calls = gathering(max_rows=4, max_in_flight=1)
    calls.add("a", 1, now=0.0)
    calls.take(0.0)
    for name in "bcdef":
        calls.add(name, 1, now=1.0)
    assert calls.due() == AT_ONCE
    assert calls.take(1.0) == [["b", "c", "d", "e"]]
    # All that may be in flight is: the window does not count.
    assert calls.due() is None
    calls.ended()
    assert calls.due() is None
    calls.ended()
    assert calls.take(1.0) == [["f"]]


def test_a_near_deadline_lets_nobody_wait() -> None:
    calls = gathering(max_in_flight=1)
    calls.add("a", 1, now=0.0)
    calls.take(0.0)
    calls.add("b", 1, now=1.0)
    calls.add("c", 1, now=1.0, deadline=10.0)
    assert calls.due() == 8.0
    calls.add("d", 1, now=2.0, deadline=3.0)
    assert calls.take(2.0) == [["b", "c", "d"]]


def test_a_call_that_left_is_not_sent() -> None:
    calls = gathering()
    calls.add("a", 1, now=0.0)
    calls.take(0.0)
    calls.add("b", 3, now=1.0, deadline=2.0)
    calls.add("c", 3, now=1.0)
    calls.remove("b")
    calls.remove("unknown")
    assert calls.due() == 3.0
    assert calls.take(3.0) == [["c"]]


@dataclass
class Sent:
    at: float
    calls: list[int]


events = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(1, 8), st.none() | st.floats(0.0, 9.0)),
        st.tuples(st.just("end"), st.just(0), st.none()),
        st.tuples(st.just("leave"), st.integers(0, 30), st.none()),
        st.tuples(st.just("time"), st.integers(1, 12), st.none()),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(events=events, max_rows=st.integers(8, 12), max_in_flight=st.integers(1, 3))
def test_no_call_is_lost_sent_twice_late_or_out_of_order(
    events: list[tuple[str, int, float | None]], max_rows: int, max_in_flight: int
) -> None:
    """
    Driven as an event loop would. A call waits for longer than the window only
    while all that may be in flight is, and not when its deadline is near.
    """
    schedule: Gathering[int] = Gathering(
        max_rows=max_rows, window=WINDOW, max_in_flight=max_in_flight
    )
    now = 0.0
    rows: list[int] = []
    came: list[float] = []
    deadlines: list[float | None] = []
    left: set[int] = set()
    sent: list[Sent] = []
    in_flight = 0
    free_since = 0.0

    def turn() -> None:
        nonlocal in_flight
        for calls in schedule.take(now):
            sent.append(Sent(now, calls))
            in_flight += 1
        due = schedule.due()
        assert due is None or due > now

    def waiting() -> list[int]:
        gone = left | {call for batch in sent for call in batch.calls}
        return [call for call in range(len(rows)) if call not in gone]

    def until(end: float) -> None:
        nonlocal now
        while (due := schedule.due()) is not None and due <= end:
            now = max(now, due)
            turn()
        now = end

    for kind, value, remaining in events:
        if kind == "call":
            rows.append(value)
            came.append(now)
            deadlines.append(None if remaining is None else now + remaining)
            schedule.add(len(rows) - 1, value, now, deadlines[-1])
        elif kind == "end" and in_flight:
            if in_flight == max_in_flight:
                free_since = now
            in_flight -= 1
            schedule.ended()
        elif kind == "leave" and value in waiting():
            left.add(value)
            schedule.remove(value)
        elif kind == "time":
            until(now + value / 4)
        turn()
        assert schedule.in_flight == in_flight
        for call in waiting():
            assert in_flight, "a call waits although nothing is in flight"
            deadline = deadlines[call]
            assert deadline is None or now < deadline - WINDOW
            if in_flight < max_in_flight:
                assert now - max(came[call], free_since) <= WINDOW
        assert sum(rows[call] for call in waiting()) < max_rows
    while in_flight:
        in_flight -= 1
        schedule.ended()
        turn()

    assert [call for batch in sent for call in batch.calls] == [
        call for call in range(len(rows)) if call not in left
    ]
    assert all(sum(rows[call] for call in batch.calls) <= max_rows for batch in sent)
    assert schedule.idle
