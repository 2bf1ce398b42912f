"""What is known of a job, as bytes: all of it comes back, and nothing else is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit import errors
from tritonkit.client import InferResponse, Trace
from tritonkit.client.jobs import record
from tritonkit.client.jobs.seen import EXPIRY, Seen
from tritonkit.client.jobs.waiting import Waiting, status_of

ID = bytes(range(16))
KEYS = ("model", "version", "trace", "parameters", "id", "error", "message", "retry_after")
TRACE = Trace(
    origins=("memory", "model"),
    ages=(1.5, 0.0),
    tiers=("fast", "fast"),
    degraded="fallback: accurate timed out",
    attempts=3,
    cost=17,
    answer="a1",
    arms=(("ranking", "treatment"),),
)


def response(**options: Any) -> InferResponse:
    outputs = {
        "y": np.arange(6, dtype=np.float32).reshape(2, 3),
        "text": np.array([[b"a\0"], [b""]], dtype=object),
    }
    return InferResponse(
        **{"model": "m", "version": "2", "outputs": outputs, "id": "7", "trace": TRACE, **options}
    )


def test_an_answer_comes_back_whole() -> None:
    """With its trace, parameters and id; arrays of the same types, which cannot be written."""
    given = response(parameters={"a": 1, "b": True, "c": "x"})
    found = record.read(ID, record.answered(ID, given))
    assert found is not None
    assert found.state == "done"
    back = found.response
    assert back is not None
    assert (back.model, back.version, back.id) == ("m", "2", "7")
    assert (back.parameters, back.trace) == (given.parameters, TRACE)
    assert isinstance(back.trace.origins, tuple)
    for name, array in given.items():
        assert back[name].dtype == array.dtype
        assert back[name].tolist() == array.tolist()
        assert not back[name].flags.writeable


def test_an_answer_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(errors.InferenceFailed, match="cannot be kept"):
        record.answered(ID, response(outputs={"y": np.zeros(2, dtype=np.complex64)}))


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidInput("x is wrong", model="m"),
        errors.DeadlineExceeded("too late", model="m"),
        errors.BudgetExceeded("no more", model="m", retry_after=1.5),
        errors.CircuitOpen("open", model="m", retry_after=2.0),
    ],
)
def test_an_error_comes_back_as_it_was(error: errors.RequestError) -> None:
    found = record.read(ID, record.failed(ID, error))
    assert found is not None
    back = found.error
    assert (type(back), str(back)) == (type(error), str(error))
    assert vars(back) == vars(error)


@pytest.mark.parametrize("error", [KeyError("x"), errors.ConfigError("x"), RuntimeError("x")])
def test_an_error_that_no_request_has_becomes_a_failed_inference(error: Exception) -> None:
    """Its name and message stay; no class is looked up by a name from outside."""
    found = record.read(ID, record.failed(ID, error))
    assert found is not None
    assert type(found.error) is errors.InferenceFailed
    assert str(found.error) == f"{type(error).__name__}: {error}"


@given(st.data())
def test_what_was_changed_on_its_way_is_nothing(data: st.DataObject) -> None:
    whole = record.answered(ID, response())
    position = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(1, 255))
    changed = bytearray(whole)
    changed[position] ^= byte
    assert record.read(ID, bytes(changed)) is None
    assert record.read(ID, whole[:position]) is None
    assert record.read(ID, whole + b"x") is None
    assert record.read(bytes(16), whole) is None


@settings(max_examples=50)
@given(
    head=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
        max_leaves=6,
    ),
    state=st.sampled_from(record.STATES),
    rest=st.binary(max_size=64),
)
def test_a_stranger_with_the_right_checksum_is_nothing(head: Any, state: Any, rest: bytes) -> None:
    """Whatever stands in it, reading raises nothing, and finds no outputs."""
    found = record.read(ID, record._pack(ID, state, head, rest))
    assert found is None or found.response is None


@given(st.binary(max_size=200))
def test_any_bytes_are_nothing(data: bytes) -> None:
    assert record.read(ID, data) is None
    assert record.read(ID, b"TKJ1" + data) is None


@pytest.mark.parametrize(
    ("data", "alive", "status"),
    [
        (None, False, "lost"),
        (None, True, "running"),
        (record.running(ID), True, "running"),
        (record.running(ID), False, "lost"),
        (record.failed(ID, errors.InvalidInput("x")), True, "failed"),
        (record.answered(ID, response()), True, "done"),
        (record.answered(ID, response()), False, "done"),
        (b"garbage", True, "failed"),
    ],
)
def test_status(data: bytes | None, alive: bool, status: str) -> None:
    """What has ended has ended, whoever is still at work on it."""
    assert status_of(ID, Seen(data, alive))[0] == status


def test_a_loss_is_believed_when_it_lasts() -> None:
    waiting = Waiting(patience=2.0)
    assert not waiting.lost("lost", 10.0)
    assert not waiting.lost("lost", 11.9)
    assert not waiting.lost("running", 11.95)
    assert not waiting.lost("lost", 12.0)
    assert waiting.lost("lost", 14.0)


def test_silence_is_believed_when_it_lasts() -> None:
    waiting = Waiting(patience=2.0)
    assert not waiting.silent(10.0)
    assert not waiting.lost("running", 11.0)
    assert not waiting.silent(11.5)
    assert waiting.silent(13.5)


def test_pauses_grow_to_a_limit() -> None:
    waiting = Waiting()
    pauses = [waiting.pause() for _ in range(20)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= 0.01
    assert pauses[-1] < EXPIRY / 10


@pytest.mark.parametrize("owner", ["", "shop", "müller"])
def test_whose_job_it_is_stays_with_it(owner: str) -> None:
    for data in (
        record.running(ID, owner),
        record.answered(ID, response(), owner),
        record.failed(ID, errors.InvalidInput("x"), owner),
    ):
        found = record.read(ID, data)
        assert found is not None
        assert found.owner == owner
