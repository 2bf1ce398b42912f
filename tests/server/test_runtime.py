"""Installing the embedded server's runtime; pip and the pins are the real ones."""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tritonkit.errors import RuntimeInstallError
from tritonkit.server.runtime import (
    REQUIREMENTS,
    ensure_runtime,
    installed_runtime,
    runtime_path,
)

SERVE = [sys.executable, "-m", "tritonkit", "serve"]
FREE_PORTS = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]


@pytest.fixture
def runtimes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runtimes are, on a machine that has none."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "tritonkit" / "runtimes"


@pytest.fixture
def impossible(tmp_path: Path) -> Path:
    """A pinned set that no index has."""
    path = tmp_path / "requirements.txt"
    path.write_text("nvidia-pytriton==0.0.0\n")
    return path


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def run(command: list[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def read_until(process: subprocess.Popen[str], sign: str) -> list[str]:
    """The lines up to the one that holds *sign*."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if sign in line:
            return lines
    raise AssertionError(f"{sign!r} was not said, but: {''.join(lines)}")


def left(runtimes: Path) -> list[str]:
    return sorted(entry.name for entry in runtimes.iterdir() if entry.name != ".lock")


def test_two_starters_build_one_runtime(runtimes, start, two_models):
    """The second waits for the first, says so, and both serve."""
    first = start([*SERVE, str(two_models), *FREE_PORTS])
    read_until(first, "installing the embedded server into")
    second = start([*SERVE, str(two_models), *FREE_PORTS])
    read_until(second, "another process is installing the embedded server; waiting for it")

    said = {server: read_until(server, "ready; Ctrl-C stops it") for server in (first, second)}
    for server, lines in said.items():
        url = next(line.split()[1] for line in lines if line.startswith("HTTP"))
        with urlopen(f"{url}/v2/models/upper/ready") as answer:
            assert answer.status == 200
        server.terminate()
    assert [server.wait() for server in said] == [0, 0]
    assert any("Collecting nvidia-pytriton" in line for line in said[first])
    assert not any("Collecting" in line for line in said[second])
    assert left(runtimes) == [runtime_path().name]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_an_interrupted_installation_leaves_nothing(
    runtimes, start, processes, two_models, number, code
):
    server = start([*SERVE, str(two_models), *FREE_PORTS])
    read_until(server, "Collecting")
    pids = processes.mentioning(str(runtimes))
    assert len(pids) >= 2
    server.send_signal(number)

    assert server.wait() == code
    assert left(runtimes) == []
    assert all(map(processes.gone, pids))


def test_sigterm_ends_an_installation_that_nobody_else_guards(runtimes, start):
    installer = start([sys.executable, "-m", "tritonkit.server.runtime"])
    read_until(installer, "making a venv")
    installer.terminate()

    assert installer.wait() == 143
    assert left(runtimes) == []


def test_what_a_killed_installation_leaves_is_removed_by_the_next(
    runtimes, start, processes, impossible
):
    """And pip does not go on writing into it."""
    installer = start([sys.executable, "-m", "tritonkit.server.runtime"])
    read_until(installer, "Collecting")
    pids = processes.mentioning(str(runtimes))
    assert len(pids) >= 2
    installer.kill()
    assert processes.gone_soon(*pids)
    assert [name[:10] for name in left(runtimes)] == [".building-"]

    with pytest.raises(RuntimeInstallError):
        ensure_runtime(impossible)
    assert left(runtimes) == []


def test_a_failed_installation_tells_pips_reason_and_leaves_nothing(
    runtimes, impossible, tmp_path, monkeypatch
):
    """And the pip is that of the venv, whatever the user's PYTHONPATH holds."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "pip.py").write_text("raise SystemExit('the wrong pip')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))

    with pytest.raises(RuntimeInstallError, match=r"nvidia-pytriton==0\.0\.0") as error:
        ensure_runtime(impossible)

    assert "downloading and installing packages failed (exit code 1)" in str(error.value)
    assert left(runtimes) == []


def test_an_installed_runtime_is_taken_without_a_word():
    said: list[str] = []
    runtime = ensure_runtime(progress=said.append)

    assert said == []
    assert installed_runtime() == runtime
    assert runtime.tritonserver.is_file()
    assert os.access(runtime.python_backend / "triton_python_backend_stub", os.X_OK)


def test_a_new_pin_makes_a_new_runtime(runtimes, impossible):
    assert installed_runtime() is None
    assert runtime_path().parent == runtimes
    assert runtime_path(impossible) != runtime_path()


def test_a_comment_makes_no_new_runtime(runtimes, tmp_path):
    commented = tmp_path / "commented.txt"
    commented.write_text(f"# why\n\n{REQUIREMENTS.read_text()}")

    assert runtime_path(commented) == runtime_path()


def test_a_data_folder_that_is_a_file_is_told(tmp_path, impossible, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))

    with pytest.raises(RuntimeInstallError, match=r"cannot be kept in .* Set XDG_DATA_HOME"):
        ensure_runtime(impossible)


def test_a_relative_data_folder_is_ignored(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert runtime_path().is_relative_to(tmp_path / ".local" / "share" / "tritonkit")


def test_an_empty_home_is_that_of_the_account(monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "")

    assert runtime_path().is_relative_to(pwd.getpwuid(os.getuid()).pw_dir)


def test_a_home_that_is_no_place_is_told(monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "here")

    with pytest.raises(RuntimeInstallError, match=r"HOME is 'here'\); set HOME, or set XDG"):
        runtime_path()


def test_the_pinned_set_is_exact():
    pins = [line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]

    assert all(line.count("==") == 1 for line in pins)
    assert "nvidia-pytriton==0.7.0" in pins
    assert "numpy==1.26.4" in pins
