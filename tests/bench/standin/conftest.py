"""A server in a process of its own whose service times, failures and stalls are known."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Log:
    """
    What the stand-in wrote down, a row for each request in the order of leaving.

    Times are nanoseconds of CLOCK_MONOTONIC, which is the clock of our latencies.
    """

    arrival: NDArray[np.int64]
    start: NDArray[np.int64]
    planned: NDArray[np.int64]
    departure: NDArray[np.int64]
    rows: NDArray[np.int64]
    batch: NDArray[np.int64]
    ends: NDArray[np.int64]
    tag: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.arrival)

    def by_tag(self) -> Log:
        order = np.argsort(self.tag, kind="stable")
        return Log(*(getattr(self, name)[order] for name in self.__dataclass_fields__))

    def where(self, mask: NDArray[np.bool_]) -> Log:
        return Log(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))

    @property
    def latency_us(self) -> NDArray[np.float64]:
        """From arrival to departure."""
        return (self.departure - self.arrival) / 1e3


class Standin:
    """The process, and how to direct it."""

    model = "standin"

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def play(self, **script: Any) -> None:
        """Serve by this script (`behaviour.Script`) from the next request on; the log is empty."""
        request = urllib.request.Request(
            f"{self.url}/standin/play", data=json.dumps(script).encode()
        )
        with urllib.request.urlopen(request):
            pass

    def log(self) -> Log:
        with urllib.request.urlopen(f"{self.url}/standin/log") as reply:
            table = np.frombuffer(reply.read(), dtype=np.int64)
        return Log(*table.reshape(-1, len(Log.__dataclass_fields__)).T)

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def _one_standin() -> Iterator[Standin]:
    standin = Standin()
    yield standin
    standin.end()


@pytest.fixture
def standin(_one_standin: Standin) -> Standin:
    """One process for all tests; each has its defaults until it directs otherwise."""
    _one_standin.play()
    return _one_standin


@pytest.fixture
def another_standin() -> Iterator[Standin]:
    """A process of the test's own, which it may kill."""
    standin = Standin()
    yield standin
    standin.end()


@pytest.fixture(scope="session")
def behaviour() -> ModuleType:
    """The module of that name, which the stand-in's process imports."""
    spec = importlib.util.spec_from_file_location("standin_behaviour", HERE / "behaviour.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its own module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
