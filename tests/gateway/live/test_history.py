from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tritonkit.errors import ConfigError
from tritonkit.gateway.live.history import History
from tritonkit.gateway.live.sample import Sample
from tritonkit.gateway.live.setting import Setting
from tritonkit.gateway.passed import Passed

NOW = 1_770_000_000


class Wall:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def one(requests: int = 1) -> Sample:
    sample = Sample()
    for _ in range(requests):
        sample.count(Passed(at=0.0, seconds=0.01, route="infer", rows=1, cost=7))
    return sample


def total(samples: dict[int, Sample]) -> int:
    return sum(sample.requests for sample in samples.values())


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def open_history(tmp_path, wall):
    made = []

    def open_history(**options):
        path = options.pop("path", tmp_path / "state" / "history.sqlite")
        history = History(path, **{"gateway": "g", "wall": wall, **options})
        made.append(history)
        return history

    yield open_history
    for history in made:
        history.close()


def test_workers_learn_of_each_other(open_history):
    """Samples of the others come once, their readings and settings as they are now."""
    first, second = open_history(worker=0), open_history(worker=1)

    first.exchange([(NOW, one())], {"worker": 0})
    learnt = second.exchange([(NOW, one(2))], {"worker": 1})
    again = second.exchange()
    back = first.exchange()

    assert [(at, sample.requests) for at, sample in learnt.samples] == [(NOW, 1)]
    assert again.samples == []
    assert [(at, sample.requests) for at, sample in back.samples] == [(NOW, 2)]
    assert list(learnt.readings) == [{"worker": 0}]
    assert back.totals == {"requests": 3, "errors": 0, "cost": 21}


def test_a_worker_that_says_nothing_is_no_more(open_history, wall):
    """Its last word counts for ten seconds."""
    first, second = open_history(worker=0), open_history(worker=1)
    first.exchange([], {"worker": 0})

    wall.now += 9
    assert len(second.exchange().readings) == 1
    wall.now += 2
    assert len(second.exchange().readings) == 0


def test_a_worker_that_begins_again_takes_its_own_place(open_history):
    """What the one before with its number told of itself is not told beside it."""
    open_history(worker=0).exchange([(NOW, one())], {"worker": 0})

    learnt = open_history(worker=0).exchange()

    assert list(learnt.readings) == []
    assert [sample.requests for _, sample in learnt.samples] == [1]


def test_an_outage_that_several_workers_see_is_one(open_history):
    """What people did is told as often as they did it."""
    first, second = open_history(worker=0), open_history(worker=1)
    outage = {"at": NOW + 0.0, "kind": "breaker", "text": "m: the circuit opened"}
    done = {"at": NOW + 0.0, "kind": "fault", "text": "cache is switched off"}

    first.exchange(alerts=[outage, done])
    second.exchange(alerts=[{**outage, "at": NOW + 9.0}, done])
    learnt = second.exchange(alerts=[{**outage, "at": NOW + 20.0}])

    texts = [alert["text"] for alert in learnt.alerts]
    assert texts == [outage["text"], done["text"], done["text"], outage["text"]]


def test_settings_are_those_of_this_gateway(open_history):
    """What was changed on a gateway that ran before is in force no more."""
    open_history(gateway="before").change(Setting(name="redis", on=True, until=NOW + 300.0))
    changed = Setting(name="slow", on=True, value=0.5, until=NOW + 300.0)

    assert open_history(worker=1).change(changed) == [changed]
    assert list(open_history().exchange().settings) == [changed]


@pytest.mark.parametrize("step", [1, 15, 30, 60, 120])
def test_history_survives_a_restart(open_history, wall, step):
    """In steps of any length, all that was written, tidied or not."""
    history = open_history()
    for second in range(100):
        history.exchange([(NOW + second, one())])
        if second % 33 == 0:
            history.tidy()
    history.close()
    wall.now += 100

    found = open_history().samples(NOW, NOW + 100, step)

    assert total(found) == 100
    assert set(found) == {at // step * step for at in range(NOW, NOW + 100)}


def test_seconds_are_kept_for_an_hour_and_minutes_for_a_week(open_history, wall):
    """Then they are dropped."""
    history = open_history()
    history.exchange([(NOW, one())])
    history.tidy()

    wall.now += 3700
    history.tidy()
    assert total(history.samples(NOW, wall.now, 1)) == 0
    assert total(history.samples(NOW, wall.now, 60)) == 1
    wall.now += 7 * 86400
    history.tidy()
    assert total(history.samples(NOW, wall.now, 60)) == 0


def test_a_clock_that_cannot_be_trusted_drops_nothing(open_history, wall):
    """A year ahead for a moment, all history stays."""
    history = open_history()
    history.exchange([(NOW, one())])

    wall.now += 365 * 86400
    history.exchange([(int(wall.now), one())])
    history.tidy(by_age=False)
    wall.now = NOW + 1

    assert total(history.samples(NOW - 60, NOW + 60, 1)) == 1


def test_a_clock_that_was_set_back_adds_to_what_is_there(open_history, wall):
    """Seconds that come twice are counted together, also where they were added up before."""
    history = open_history()
    history.exchange([(NOW + 10, one())])
    history.tidy()
    wall.now -= 1000
    history.exchange([(NOW + 10, one())])
    history.tidy()

    assert total(history.samples(NOW, NOW + 60, 60)) == 2
    assert total(history.samples(NOW, NOW + 60, 1)) == 2


def test_the_file_has_a_bound(open_history, wall, tmp_path):
    """What is oldest makes room, and the file grows no further."""
    history = open_history(size=200_000)
    for start in range(0, 1500, 60):
        history.exchange([(NOW + start + second, one()) for second in range(60)])
        history.tidy()

    found = history.samples(NOW, NOW + 1500, 1)
    assert 0 < len(found) < 1500
    assert max(found) == NOW + 1499
    assert total(history.samples(NOW, NOW + 1500, 60)) > len(found)
    assert (tmp_path / "state" / "history.sqlite").stat().st_size < 500_000


@pytest.mark.parametrize("damage", ["text", "head", "middle", "empty"])
def test_a_damaged_file_is_set_aside(open_history, tmp_path, caplog, damage):
    """With a warning, under another name, and another one begun; an empty one is just begun."""
    path = tmp_path / "state" / "history.sqlite"
    history = open_history()
    history.exchange([(NOW + n, one()) for n in range(500)])
    history.close()
    data = bytearray(path.read_bytes())
    if damage == "text":
        data = bytearray(b"no history at all\n" * 100)
    elif damage == "head":
        data[:16] = b"x" * 16
    elif damage == "middle":
        data[4096:12288] = b"\xff" * 8192
    else:
        data = bytearray()
    path.write_bytes(data)

    again = open_history()

    again.exchange([(NOW, one())])
    assert total(again.samples(NOW, NOW + 1, 1)) == 1
    if damage != "empty":
        assert (tmp_path / "state" / "history.sqlite.broken").read_bytes() == data
        assert "is set aside as history.sqlite.broken" in caplog.text
        assert [alert["kind"] for alert in again.exchange().alerts] == ["history"]


def test_a_file_of_another_program_is_left_alone(open_history, tmp_path):
    """It is not ours to set aside."""
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE orders (id INTEGER)")
    file.close()

    with pytest.raises(ConfigError, match="of another program; name another one"):
        open_history(path=path)


def test_a_file_that_is_gone_is_made_again(open_history, tmp_path):
    """Whoever deletes the history begins another one, for all workers at their next word."""
    first, second = open_history(worker=0), open_history(worker=1)
    first.exchange([(NOW, one())])
    for path in (tmp_path / "state").glob("history.sqlite*"):
        path.unlink()

    first.exchange([(NOW, one())])

    assert [sample.requests for _, sample in second.exchange().samples] == [1]


def test_nobody_else_may_read_it(open_history, tmp_path):
    """It has the names of tenants."""
    open_history()

    assert (tmp_path / "state" / "history.sqlite").stat().st_mode & 0o077 == 0


def test_a_full_disk_takes_nothing_back(open_history, tmp_path):
    """What does not fit is not written at all; once there is room it is."""
    history = open_history()
    history.exchange([(NOW, one())])
    file = history._file
    (pages,) = file.execute("PRAGMA page_count").fetchone()
    file.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        history.exchange([(NOW + n, one()) for n in range(1, 1000)])

    assert total(history.samples(NOW, NOW + 1000, 1)) == 1
    file.execute("PRAGMA max_page_count = 1000000")
    history.exchange([(NOW + n, one()) for n in range(1, 1000)])
    assert total(history.samples(NOW, NOW + 1000, 1)) == 1000


WRITES = """
import sys
from pathlib import Path
from tritonkit.gateway.live.history import History
from tritonkit.gateway.live.sample import Sample
from tritonkit.gateway.passed import Passed
worker = int(sys.argv[2])
history = History(Path(sys.argv[1]), gateway="g", worker=worker, wall=lambda: 1_770_000_000.0)
second = 0
while True:
    sample = Sample()
    sample.count(Passed(at=0.0, seconds=0.01, route="infer", rows=1, tier=f"t{worker}"))
    history.exchange([(1_770_000_000 + second % 3600, sample)], {"worker": worker})
    second += 1
    if second % 20 == 0:
        history.tidy()
    print(second, flush=True)
"""


def test_workers_that_are_killed_lose_nothing(tmp_path, wall):
    """Two processes write to one file until kill -9: all that they said was written is there."""
    path = tmp_path / "history.sqlite"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITES, os.fspath(path), str(n)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(2)
    ]
    written = []
    for worker in workers:
        assert worker.stdout is not None
        for line in worker.stdout:
            if int(line) >= 30:
                break
    for worker in workers:
        worker.send_signal(signal.SIGKILL)
    for worker in workers:
        assert worker.stdout is not None
        rest = worker.stdout.read().split()
        written.append(int(rest[-1]) if rest else 30)
        worker.stdout.close()
        assert worker.wait() == -signal.SIGKILL

    history = History(path, wall=wall)

    found = history.samples(NOW, NOW + 3600, 60)
    for number, least in enumerate(written):
        tiers = [each.tiers.get(f"t{number}") for each in found.values()]
        kept = sum(sketch.count for sketch in tiers if sketch is not None)
        assert least <= kept <= least + 1
    # One transaction each, so what was added up was added up once.
    seconds = history.samples(NOW, NOW + 3600, 1)
    assert total(found) == total(seconds)
    history.close()


def test_memory_is_a_history_too():
    """Without a path it is one for as long as it is open."""
    history = History(None, wall=lambda: float(NOW))

    history.exchange([(NOW, one())])

    assert total(history.samples(NOW, NOW + 1, 1)) == 1
    assert not Path(":memory:").exists()
    history.close()
