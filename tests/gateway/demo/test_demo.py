"""The whole demo, with a model that takes no minute to export."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from click.testing import CliRunner

from tritonkit.cli import main
from tritonkit.gateway.demo.models import MODELS

MODEL = Path(__file__).parents[2] / "models" / "embeds"
CODE = """
import shutil
import sys
from pathlib import Path

from tritonkit.gateway.demo.demo import Demo
from tritonkit.gateway.demo.models import MODELS
from tritonkit.gateway.demo.traffic import Flow


def prepare(repository, tell):
    for name in MODELS:
        shutil.copytree(sys.argv[2], repository / name, dirs_exist_ok=True)


Demo(
    repository=Path(sys.argv[1]),
    prepare=prepare,
    servers=int(sys.argv[3]),
    interval=0.5,
    watch=200 if sys.argv[3] == "1" else 0,
    # With two servers there is no traffic: whoever is asked was asked before it.
    flow=Flow(rate=50.0 if sys.argv[3] == "1" else 0.0),
).run()
"""


def own_terminal() -> None:
    """Make standard input the terminal of a session of one's own, as a shell does."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """The demo, and a terminal in front of it."""

    def __init__(self, repository: Path, servers: int) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(repository), str(MODEL), str(servers)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=own_terminal,
        )
        os.close(slave)
        self.text = ""

    def press(self, key: str) -> None:
        os.write(self.master, key.encode())

    def wait_for(self, pattern: str, timeout: float = 60.0) -> re.Match[str]:
        """What it says next that matches; what comes before is dropped."""
        end = monotonic() + timeout
        while (match := re.search(pattern, self.text)) is None:
            assert monotonic() < end, f"it did not say {pattern!r}, but {self.text!r}"
            assert self.read(1.0) or self.process.poll() is None, self.text
        self.text = self.text[match.end() :]
        return match

    def read(self, timeout: float) -> bool:
        """Whether it said anything more."""
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            told = os.read(self.master, 65536)
        except OSError:
            # Nobody has the other end any more.
            return False
        self.text += told.decode(errors="replace")
        return bool(told)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[dict[int, Terminal]]:
    """Demos by their number of servers, started when they are asked for."""

    class Started(dict[int, Terminal]):
        def __missing__(self, servers: int) -> Terminal:
            repository = tmp_path / "models"
            repository.mkdir()
            self[servers] = Terminal(repository, servers)
            return self[servers]

    started = Started()
    yield started
    for terminal in started.values():
        terminal.close()


def descendants(root: int) -> dict[int, str]:
    """All processes below *root*, and what they are."""
    parents: dict[int, int] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                parents[int(place.name)] = int(
                    (place / "stat").read_text().rpartition(")")[2].split()[1]
                )
            except OSError:
                continue
    found: dict[int, str] = {}
    level = {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        for pid in level:
            found[pid] = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return found


def all_gone(processes: dict[int, str], timeout: float = 20.0) -> bool:
    """Whether all of them end."""
    end = monotonic() + timeout
    while monotonic() < end:
        left = [pid for pid in processes if Path(f"/proc/{pid}/stat").exists()]
        if not left:
            return True
        select.select([], [], [], 0.05)
    return False


def test_it_serves_tells_and_is_steered(terminals: dict[int, Terminal]) -> None:
    """
    The page's address answers, lines come, keys and the page change the traffic, and q ends
    everything with nothing left.
    """
    demo = terminals[1]
    demo.wait_for(r"Redis at unix://(\S+)")
    url = demo.wait_for(r"the page: (http://127\.0\.0\.1:\d+)/")[1]
    demo.wait_for(r"\+ - rate")
    demo.wait_for(r"[1-9]\d*\.\d requests/s   p95 +\d+ ms .*asked for 50/s, skew 1")
    with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=10) as reply:
        assert reply.status == 200
    demo.press("+")
    demo.wait_for("from now on 80/s, skew 1, about the usual")
    demo.press(">")
    demo.wait_for("80/s, skew 1.2")
    demo.press("d")
    demo.wait_for("about other things")
    demo.press("b")
    demo.wait_for("5 times that in a burst")
    demo.press("f")
    demo.wait_for("on: minilm answers later")
    wish = json.dumps({"name": "traffic.rate", "on": True, "value": 70}).encode()
    request = urllib.request.Request(
        f"{url}/live/fault", wish, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 200
    demo.wait_for("from now on 70/s")
    demo.wait_for(r"hits +\d+% .*fault: minilm answers later .*asked for 70/s")
    below = descendants(demo.process.pid)
    for name in ("tritonserver", "redis-server", "tritonkit gateway"):
        assert any(name in command for command in below.values())
    demo.press("q")
    demo.wait_for("stopping")

    assert demo.process.wait(30) == 0
    assert all_gone(below)


def answered(url: str, model: str) -> int:
    """Rows that a model has computed."""
    with urllib.request.urlopen(f"{url}/v2/models/{model}/stats", timeout=10) as reply:
        (stats,) = json.load(reply)["model_stats"]
    return int(stats["inference_count"])


def test_nothing_survives_its_own_death(terminals: dict[int, Terminal]) -> None:
    """
    Killed with SIGKILL, it leaves no process and no folder, though there were two servers.

    Before the traffic every model of each server has answered, so that nobody waits for the
    first answers.
    """
    demo = terminals[2]
    urls = demo.wait_for(r"Triton at (\S+), (\S+)").groups()
    folder = Path(demo.wait_for(r"policy in (\S+)/serving.toml")[1])
    demo.wait_for("the page: ")
    rows = {model: [answered(url, model) for url in urls] for model in MODELS}
    assert min(map(min, rows.values())) >= 42
    # And 24 through the gateway, of users of both arms.
    assert {model: sum(counts) - 84 for model, counts in rows.items()} == {
        MODELS[0]: 22,
        MODELS[1]: 2,
    }
    below = descendants(demo.process.pid)
    assert sum("tritonserver" in command and "keeper" in command for command in below.values()) == 2
    assert folder.exists()
    demo.process.kill()
    demo.process.wait()

    assert all_gone(below)
    assert not folder.exists()


def test_a_signal_ends_it_while_it_starts(terminals: dict[int, Terminal]) -> None:
    """Before anything answers there is nothing to wait for."""
    demo = terminals[1]
    demo.wait_for("starting tritonserver")
    below = descendants(demo.process.pid)
    demo.process.send_signal(signal.SIGTERM)

    assert demo.process.wait(30) == 0
    assert all_gone(below)


@pytest.mark.parametrize(
    ("option", "value"), [("--rate", "-1"), ("--skew", "9"), ("--rows", "0"), ("--burst", "0")]
)
def test_what_no_traffic_can_be_starts_nothing(option: str, value: str, tmp_path: Path) -> None:
    """One clear line, before any model is exported."""
    repository = tmp_path / "models"
    run = CliRunner().invoke(main, ["demo", "--repository", str(repository), option, value])

    assert run.exit_code == 2
    assert option.removeprefix("--") in run.output
    assert value in run.output
    assert not repository.exists()
