"""
The embedded server's runtime: a venv of its own with tritonserver in it.

Made on first use, under a lock, built aside and moved into place whole. Its name
holds the digest of the pinned set, so that a new pin makes a new runtime and an
old one keeps serving whoever runs it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import FrameType

from tritonkit.errors import RuntimeInstallError
from tritonkit.server.keeper import kept
from tritonkit.server.machine import check_machine, libpython_folder, python_version

__all__ = ["REQUIREMENTS", "Runtime", "ensure_runtime", "installed_runtime", "runtime_path"]

Progress = Callable[[str], None]

REQUIREMENTS = Path(__file__).with_name("runtime_requirements.txt")
"""The pinned set of packages, one a line."""

_BUILDING = ".building-"
_TAIL_LINES = 12


def _say(line: str) -> None:
    print(f"tritonkit: {line}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Runtime:
    """
    An installed runtime.

    Args:
        root: Its folder.
    """

    root: Path

    @property
    def bin(self) -> Path:
        """Holds the python that runs Python models."""
        return self.root / "venv" / "bin"

    @property
    def tritonserver(self) -> Path:
        """The server's executable."""
        return self._server / "bin" / "tritonserver"

    @property
    def python_backend(self) -> Path:
        """The Python backend, with the stub of this Python version."""
        return self.root / "python_backend"

    @property
    def caches(self) -> Path:
        """The implementations of Triton's response cache."""
        return self._server / "caches"

    @property
    def ld_library_path(self) -> str:
        """What the server's and the stubs' shared libraries are found through."""
        return f"{self._site / 'nvidia_pytriton.libs'}:{libpython_folder()}"

    @property
    def _site(self) -> Path:
        return _site_packages(self.root)

    @property
    def _server(self) -> Path:
        return self._site / "pytriton" / "tritonserver"


def runtime_path(requirements: Path = REQUIREMENTS) -> Path:
    """
    Where the runtime of these pins and this Python is, or will be.

    Raises:
        RuntimeInstallError: If there is no home folder to put it into.
    """
    lines = requirements.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    # A venv points to the Python that made it.
    digest = hashlib.sha256("\n".join([*pins, sys.base_prefix]).encode()).hexdigest()[:12]
    return _runtimes_folder() / f"py{python_version()}-{platform.machine()}-{digest}"


def installed_runtime(requirements: Path = REQUIREMENTS) -> Runtime | None:
    """
    The runtime if it is there; None if it is not yet.

    Raises:
        RuntimeInstallError: If its place cannot be read.
    """
    path = runtime_path(requirements)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(path.parent, error) from error
    return Runtime(path)


def ensure_runtime(requirements: Path = REQUIREMENTS, *, progress: Progress = _say) -> Runtime:
    """
    The runtime, installed first if it is not there.

    Takes about half a minute the first time. Two processes that need it at once
    build one: the second waits for the first. Whatever interrupts the installation
    leaves nothing that a later call could take for a runtime.

    Args:
        requirements: The pinned set.
        progress: Told each step before it starts.

    Raises:
        RuntimeInstallError: If this machine cannot run it, or pip fails.
    """
    found = installed_runtime(requirements)
    if found is not None:
        return found
    check_machine()
    path = runtime_path(requirements)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent / ".lock", progress):
            # Another process may have built it while this one waited.
            if not path.is_dir():
                _sweep(path.parent)
                _build(path, requirements, progress)
    except OSError as error:
        raise _unusable(path.parent, error) from error
    return Runtime(path)


def _runtimes_folder() -> Path:
    data = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification has relative paths ignored.
    if Path(data).is_absolute():
        return Path(data) / "tritonkit" / "runtimes"
    # Path.home() takes an empty HOME for the root folder.
    home = os.environ.get("HOME") or _home_of_account()
    if not Path(home).is_absolute():
        raise RuntimeInstallError(
            f"there is no home folder for the embedded server's runtime (HOME is {home!r}); set "
            "HOME, or set XDG_DATA_HOME to a folder that can be written."
        )
    return Path(home) / ".local" / "share" / "tritonkit" / "runtimes"


def _home_of_account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def _unusable(folder: Path, error: OSError) -> RuntimeInstallError:
    return RuntimeInstallError(
        f"the embedded server's runtime cannot be kept in {folder}: {error.strerror or error}. "
        "Set XDG_DATA_HOME to a folder that can be written."
    )


def _site_packages(root: Path) -> Path:
    return root / "venv" / "lib" / f"python{python_version()}" / "site-packages"


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock, which the kernel gives back whatever ends this process."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another process is installing the embedded server; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sweep(folder: Path) -> None:
    """Remove what a killed installation left. The lock is held, so nobody builds."""
    for leftover in folder.glob(f"{_BUILDING}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _build(path: Path, requirements: Path, progress: Progress) -> None:
    started = monotonic()

    def step(line: str) -> None:
        progress(f"  {monotonic() - started:3.0f} s  {line}")

    progress(f"installing the embedded server into {path} (once; about 350 MB)")
    building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=path.parent))
    try:
        with _sigterm_interrupts():
            venv = building / "venv"
            _run("making a venv", [sys.executable, "-m", "venv", str(venv)], step)
            pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
            # The set is whole: without a resolver the result is the same every time.
            install = [*pip, "install", "--no-deps", "--requirement", str(requirements)]
            _run("downloading and installing packages", install, step)
            _place_python_backend(building)
            building.rename(path)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    progress(f"installed the embedded server in {monotonic() - started:.0f} s")


def _place_python_backend(root: Path) -> None:
    server = _site_packages(root) / "pytriton" / "tritonserver"
    backend = root / "python_backend"
    stub = backend / "triton_python_backend_stub"
    shutil.copytree(
        server / "backends" / "python", backend, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(server / "python_backend_stubs" / python_version() / stub.name, stub)
    for executable in (stub, server / "bin" / "tritonserver"):
        executable.chmod(executable.stat().st_mode | 0o111)


def _run(what: str, command: list[str], step: Progress) -> None:
    step(what)
    # The venv must be of the Python that runs, whatever surrounds it.
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    # Under a keeper, so that pip does not go on in a folder that the next one sweeps; in a
    # session of its own, so that Ctrl-C reaches this process only, which ends the child.
    child = subprocess.Popen(
        kept(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
    )
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    assert child.stdout is not None
    try:
        for line in child.stdout:
            tail.append(line)
            if line.startswith(("Collecting ", "Installing ")):
                step(f"  {line.split(' (')[0].strip()}")
    except BaseException:
        child.terminate()
        raise
    finally:
        child.stdout.close()
        child.wait()
    if child.returncode:
        raise RuntimeInstallError(
            f"the embedded server could not be installed; {what} failed "
            f"(exit code {child.returncode}):\n{''.join(tail).strip()}"
        )


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM ends an installation as Ctrl-C does, unless the program has its own way."""
    handled = signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    if handled or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def main() -> None:
    """Install the runtime, as a program of its own."""
    try:
        ensure_runtime()
    except RuntimeInstallError as error:
        sys.exit(f"tritonkit: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
