"""The whole demo, with a model that takes no minute to export."""

from __future__ import annotations

import asyncio
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from click.testing import CliRunner

from tritonkit.cli import main
from tritonkit.client.wire.address import Address
from tritonkit.errors import ServerError
from tritonkit.gateway.demo.child import Child
from tritonkit.gateway.demo.demo import Demo
from tritonkit.gateway.demo.load import Load
from tritonkit.gateway.demo.models import MODELS
from tritonkit.gateway.demo.stop import Stop

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


# Without traffic at first: whoever is asked was asked before it.
Demo(
    repository=Path(sys.argv[1]),
    prepare=prepare,
    servers=2,
    interval=0.5,
    watch=100,
    flow=Flow(rate=0.0),
).run()
"""


def own_terminal() -> None:
    """Make standard input the terminal of a session of one's own, as a shell does."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """The demo, and a terminal in front of it."""

    def __init__(self, repository: Path) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(repository), str(MODEL)],
            # A proxy of the environment is not for this machine.
            env={
                **os.environ,
                "http_proxy": "http://127.0.0.1:9",
                "no_proxy": "",
                "TMPDIR": str(repository.parent),
            },
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
def demo(tmp_path: Path) -> Iterator[Terminal]:
    repository = tmp_path / "models"
    repository.mkdir()
    terminal = Terminal(repository)
    yield terminal
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


def answered(url: str, model: str) -> int:
    """Rows that a model has computed."""
    with urllib.request.urlopen(f"{url}/v2/models/{model}/stats", timeout=10) as reply:
        (stats,) = json.load(reply)["model_stats"]
    return int(stats["inference_count"])


def test_it_serves_is_steered_and_leaves_nothing(demo: Terminal) -> None:
    """
    The page's address answers, lines come, keys and the page change the traffic. Killed with
    SIGKILL, it leaves no process and no folder, though there were two servers.

    Before the traffic every model of each server has answered, and each arm through the
    gateway, so that nobody waits for the first answers.
    """
    urls = demo.wait_for(r"Triton at (\S+), (\S+)").groups()
    demo.wait_for(r"Redis at unix://\S+")
    folder = Path(demo.wait_for(r"policy in (\S+)/serving.toml")[1])
    url = demo.wait_for(r"the page: (http://127\.0\.0\.1:\d+)/")[1]
    demo.wait_for(r"\+ - rate")
    rows = {model: [answered(url, model) for url in urls] for model in MODELS}
    assert min(map(min, rows.values())) >= 42
    assert sum(rows[MODELS[1]]) == 84 + 2
    demo.press("+" * 5)
    demo.wait_for(r"[1-9]\d*\.\d requests/s   p95 +\d+ ms .*asked for 20/s, skew 1")
    with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=10) as reply:
        assert reply.status == 200
    demo.press("+>db")
    for told in ("from now on 30/s, skew 1, about the usual", "30/s, skew 1.2", "a burst"):
        demo.wait_for(told)
    demo.wait_for("5 times that in a burst, about other things")
    demo.press("f")
    demo.wait_for("on: minilm answers later")
    wish = json.dumps({"name": "traffic.rate", "on": True, "value": 25}).encode()
    request = urllib.request.Request(
        f"{url}/live/fault", wish, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 200
    demo.wait_for("from now on 25/s")
    demo.wait_for(r"hits +\d+% .*fault: minilm answers later .*asked for 25/s")
    below = descendants(demo.process.pid)
    for name in ("tritonserver", "redis-server", "tritonkit gateway"):
        assert any(name in command for command in below.values())
    assert sum("tritonserver" in command and "keeper" in command for command in below.values()) == 2
    said = (folder / "gateway.log").read_text(encoding="utf-8")
    assert "Gateway on" in said
    # Its own Redis is one for budgets.
    assert "may forget" not in said
    demo.process.kill()
    demo.process.wait()

    assert all_gone(below)
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_it_while_it_starts(
    demo: Terminal, number: signal.Signals, tmp_path: Path
) -> None:
    """Before anything answers there is nothing to wait for, and nothing to leave."""
    demo.wait_for("starting tritonserver")
    below = descendants(demo.process.pid)
    demo.process.send_signal(number)

    assert demo.process.wait(30) == (0 if number == signal.SIGTERM else -number)
    assert all_gone(below)
    assert not list(tmp_path.glob("tritonkit-demo-*"))


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """In the place of a gateway."""
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with Child(command, tmp_path, name="gateway") as child:
        yield child


NOBODY = Address("http", "127.0.0.1", 9)


async def test_it_tells_of_a_gateway_that_does_not_answer_and_ends(
    tmp_path: Path, child: Child
) -> None:
    """Each request counts as refused, with the reason; after its time it ends by itself."""
    said: list[str] = []
    running = Demo(repository=tmp_path, say=said.append, seconds=0.5, interval=0.2)
    await asyncio.wait_for(running._serve(child, NOBODY, Stop()), 20)

    told = "\n".join(said)
    assert re.search(r"^ +0\.0 requests/s   p95 +-   \d+ refused", told, re.MULTILINE)
    assert "the last refusal: " in told


async def test_what_fails_while_it_goes_on_ends_it(
    tmp_path: Path, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No demo without traffic, for ever."""

    async def fail(load: Load) -> None:
        raise ServerError("no more traffic")

    monkeypatch.setattr(Load, "run", fail)
    running = Demo(repository=tmp_path, say=lambda line: None)
    with pytest.raises(ServerError, match="no more traffic"):
        await asyncio.wait_for(running._serve(child, NOBODY, Stop()), 20)


async def test_a_key_and_a_signal_end_it(
    tmp_path: Path, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever comes first, once it runs."""
    ends: list[Callable[[Stop, Callable[[str], None]], None]] = [
        lambda stop, press: press("q"),
        lambda stop, press: stop.hear(signal.SIGINT, None),
    ]
    for end in ends:
        stop = Stop()

        @contextmanager
        def listening(
            press: Callable[[str], None], stop: Stop = stop, end: Any = end
        ) -> Iterator[bool]:
            asyncio.get_running_loop().call_later(0.1, end, stop, press)
            yield True

        monkeypatch.setattr("tritonkit.gateway.demo.demo.listening", listening)
        running = Demo(repository=tmp_path, say=lambda line: None, interval=60.0)
        await asyncio.wait_for(running._serve(child, NOBODY, stop), 20)


@pytest.mark.parametrize(
    ("option", "value"), [("--rate", "-1"), ("--skew", "9"), ("--rows", "0"), ("--burst", "0"),
     ("--seconds", "nan")],
)  # fmt: skip
def test_what_no_traffic_can_be_starts_nothing(option: str, value: str, tmp_path: Path) -> None:
    """One clear line, before any model is exported."""
    repository = tmp_path / "models"
    run = CliRunner().invoke(main, ["demo", "--repository", str(repository), option, value])

    assert run.exit_code == 2
    assert option.removeprefix("--") in run.output
    assert value in run.output
    assert not repository.exists()
