"""Epochs are put together in any thread while others end them."""

from __future__ import annotations

from tritonkit.client.epochs import ALL, Epochs
from tritonkit.client.stores.memory import Memory


def test_what_ends_while_it_is_put_together_is_not_remembered() -> None:
    """Another thread's turn comes in the middle: here, when the clock is looked at."""
    turns = iter([lambda: epochs.end(ALL)])

    def clock() -> float:
        next(turns, lambda: None)()
        return 0.0

    epochs = Epochs([Memory("1kB")], recheck=10.0, clock=clock)
    before = epochs.unread("m", "")
    known = epochs.known("m", "")
    assert known is None
    assert epochs.unread("m", "").private != before.private


def test_any_number_of_ends_takes_no_more_room_than_many() -> None:
    """Nothing that ended comes back, whichever scope it was of."""
    epochs = Epochs([], recheck=10.0)
    seen = set()
    for number in range(25_000):
        epochs.end(f"scope:{number}")
        for scope in (f"{number}", "0", "other"):
            epoch = epochs.known("m", scope)
            assert epoch is not None
            seen.add((scope, epoch.private))
    # "other" and "0" ended with the rest, twice; "0" once by itself.
    assert sum(scope == "other" for scope, _ in seen) == 3
    assert sum(scope == "0" for scope, _ in seen) == 3
    assert len(epochs._ended) <= 10_001


def test_without_a_shared_store_an_epoch_is_known_at_once_and_until_it_ends() -> None:
    epochs = Epochs([], recheck=10.0)
    before = epochs.known("m", "")
    assert before is not None
    assert epochs.known("m", "") is before
    epochs.end("model:m")
    after = epochs.known("m", "")
    assert after is not None
    assert after.private != before.private
    assert epochs.known("m", "") is after
