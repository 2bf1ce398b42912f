from __future__ import annotations

import dataclasses
import errno
import os
import resource

import pytest

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Point
from tritonkit.bench.sweep.journal import Entry, Journal, journal_path
from tritonkit.errors import ConfigError


def entries(make, count=3):
    points = [Point(load=Closed(n), settings={"instances": "1"}) for n in range(1, count + 1)]
    return [Entry(point=point, measurement=make(point)) for point in points]


@pytest.fixture
def path(tmp_path):
    return journal_path(tmp_path / "sweep.json")


@pytest.fixture
def written(path, conditions, make):
    with Journal(path, conditions) as journal:
        for entry in entries(make):
            journal.add(entry)
    return path.read_bytes()


def test_what_was_added_is_done_in_the_next_run(path, conditions, make, written):
    """Other times and other commands are the same conditions."""
    later = dataclasses.replace(conditions, started="2027-01-01T00:00:00+00:00", command="again")
    with Journal(path, later, resume=True) as journal:
        assert list(journal.entries) == entries(make)
        assert journal.done(Point(load=Closed(2), settings={"instances": "1"}))
        assert journal.done(Point(load=Closed(2), settings={"instances": "1"}), 1) is None
        assert journal.done(Point(load=Closed(2))) is None
        assert not journal.dropped


def test_a_journal_torn_at_every_byte_keeps_its_whole_lines(
    path, conditions, make, written, monkeypatch
):
    """What is lost is the line that was being written; what is added then is read again."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    ends = [n + 1 for n, byte in enumerate(written) if byte == ord("\n")]
    last = entries(make, 9)[8]
    # Bytes of earlier lines are the same to it.
    for length in range(ends[-2], len(written) + 1):
        path.write_bytes(written[:length])
        whole = sum(end <= length for end in ends) - 1
        with Journal(path, conditions, resume=True) as journal:
            assert len(journal.entries) == whole
            assert journal.dropped == (0 if length in ends else 1)
            journal.add(last)
        assert path.read_bytes().startswith(written[: ends[whole]])
        assert path.read_bytes().count(b"\n") == whole + 2
    with Journal(path, conditions, resume=True) as journal:
        assert list(journal.entries) == [*entries(make), last]


@pytest.mark.parametrize("length", [0, 1, 1000])
def test_a_journal_torn_in_its_first_line_begins_anew(path, conditions, written, length):
    path.write_bytes(written[:length])
    with Journal(path, conditions, resume=True) as journal:
        assert not journal.entries
    assert path.read_bytes() == written[: written.index(b"\n") + 1]


def test_a_point_that_failed_is_tried_again(path, conditions):
    point = Point(load=Closed(1))
    with Journal(path, conditions) as journal:
        journal.add(Entry(point=point, failure="refused"))
        assert journal.done(point) is None
    with Journal(path, conditions, resume=True) as journal:
        assert journal.done(point) is None


def test_other_conditions_are_refused_and_named(path, conditions, written):
    other = dataclasses.replace(conditions, duration=5.0, model="other")
    with pytest.raises(ConfigError, match=r'model was "pipeline" and is "other"; duration was 1'):
        Journal(path, other, resume=True)
    assert path.read_bytes() == written


def test_points_are_not_mixed_unasked(path, conditions, written):
    with pytest.raises(ConfigError, match="has 3 points of a sweep that did not end"):
        Journal(path, conditions)
    assert path.read_bytes() == written


def test_one_writer_at_a_time(path, conditions):
    with Journal(path, conditions), pytest.raises(ConfigError, match="another sweep writes"):
        Journal(path, conditions, resume=True)


@pytest.mark.parametrize("content", [b"[]\n", b"{}\n", b"notes\n", b'{"format": "other/1"}\n'])
def test_something_else_stays_as_it_is(path, conditions, content):
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is no"):
        Journal(path, conditions, resume=True)
    assert path.read_bytes() == content


def test_a_line_that_was_changed_is_named(path, conditions, written):
    lines = written.splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"measurement": {}}\n' + lines[2])
    with pytest.raises(ConfigError, match="line 2 is no point of a sweep"):
        Journal(path, conditions, resume=True)
    path.write_bytes(lines[0] + lines[1][:9] + b"\n" + lines[2])
    with pytest.raises(ConfigError, match="line 2 is no JSON"):
        Journal(path, conditions, resume=True)


def test_a_full_disk_keeps_the_whole_lines(path, conditions, make, written, monkeypatch):
    """The half of a line that was written is taken back."""

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Journal(path, conditions, resume=True) as journal:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ConfigError, match=r"cannot be written: .*No space left"):
            journal.add(entries(make, 4)[3])
    assert path.read_bytes() == written


def test_what_a_full_disk_took_in_part_is_not_written_later(path, conditions, make, written):
    """A real limit, lifted before the file is closed: no rest of the line comes after."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(path, conditions, resume=True) as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(written) + 100, before[1]))
        try:
            with pytest.raises(ConfigError, match="cannot be written"):
                journal.add(entries(make, 4)[3])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == written


def test_points_of_another_part_of_an_ensemble_are_refused(path, conditions, make):
    """The same settings mean another thing on another model."""
    with Journal(path, conditions, changed="echo") as journal:
        journal.add(entries(make)[0])
    with pytest.raises(ConfigError, match='settings of was "echo" and is "copy"'):
        Journal(path, conditions, resume=True, changed="copy")
    with Journal(path, conditions, resume=True, changed="echo") as journal:
        assert len(journal.entries) == 1


def test_a_folder_that_is_not_there(conditions, tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be written: .*No such file"):
        Journal(tmp_path / "missing" / "journal", conditions)
