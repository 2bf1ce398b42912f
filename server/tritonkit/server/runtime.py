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
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import FrameType

from tritonkit.errors import RuntimeInstallError

__all__ = ["REQUIREMENTS", "Runtime", "ensure_runtime", "runtime_path", "runtimes_folder"]

Progress = Callable[[str], None]

REQUIREMENTS = Path(__file__).with_name("runtime_requirements.txt")
"""The pinned set of packages, one a line."""

MACHINES = ("x86_64", "aarch64")
PYTHONS = ((3, 11), (3, 12))
"""Python versions for which the pinned set has wheels and the server a stub."""

GLIBC = (2, 35)
"""The oldest C library that the server was linked against."""

_BUILDING = ".building-"


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
    def library_path(self) -> str:
        """What the server's and the stubs' shared libraries are found through."""
        return f"{self._site / 'nvidia_pytriton.libs'}:{libpython_folder()}"

    @property
    def _site(self) -> Path:
        return site_packages(self.root / "venv")

    @property
    def _server(self) -> Path:
        return self._site / "pytriton" / "tritonserver"


def runtimes_folder() -> Path:
    """
    Where runtimes live: `$XDG_DATA_HOME/tritonkit/runtimes`, or below `~/.local/share`.

    Raises:
        RuntimeInstallError: If neither says where.
    """
    data = os.environ.get("XDG_DATA_HOME")
    if data and Path(data).is_absolute():
        return Path(data) / "tritonkit" / "runtimes"
    try:
        return Path.home() / ".local" / "share" / "tritonkit" / "runtimes"
    except RuntimeError as error:
        raise RuntimeInstallError(
            "there is no home folder for the embedded server's runtime; set XDG_DATA_HOME."
        ) from error


def runtime_path(requirements: Path = REQUIREMENTS) -> Path:
    """Where the runtime of these pins and this Python is, or will be."""
    pins = [
        line for line in requirements.read_text().splitlines() if line and not line.startswith("#")
    ]
    digest = hashlib.sha256("\n".join([*pins, sys.base_prefix]).encode()).hexdigest()[:12]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return runtimes_folder() / f"py{version}-{platform.machine()}-{digest}"


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
    path = runtime_path(requirements)
    if path.is_dir():
        return Runtime(path)
    check_machine()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent / ".lock", progress):
            # Another process may have built it while this one waited.
            if not path.is_dir():
                _sweep(path.parent)
                _build(path, requirements, progress)
    except OSError as error:
        raise RuntimeInstallError(
            f"the embedded server's runtime cannot be written to {path.parent}: {error}. "
            "Set XDG_DATA_HOME to a folder that can be written."
        ) from error
    return Runtime(path)


def check_machine() -> None:
    """
    Refuse a machine for which there is no embedded server.

    Raises:
        RuntimeInstallError: With what is missing and how to get it.
    """
    here = "set TRITONKIT_TRITONSERVER to a tritonserver, or use `tritonkit serve --mode docker`."
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        raise RuntimeInstallError(
            f"the embedded server runs on Linux on {' or '.join(MACHINES)}, but this is "
            f"{sys.platform} on {platform.machine()}; {here}"
        )
    glibc = glibc_version()
    if glibc is None or glibc < GLIBC:
        has = "another C library" if glibc is None else ".".join(map(str, glibc))
        raise RuntimeInstallError(
            f"the embedded server needs glibc {'.'.join(map(str, GLIBC))} or newer, but this "
            f"machine has {has} (Debian 12 and Ubuntu 22.04 have enough); {here}"
        )
    if sys.version_info[:2] not in PYTHONS:
        wanted = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
        raise RuntimeInstallError(
            f"the embedded server needs Python {wanted}, but this is "
            f"{platform.python_version()}; {here}"
        )
    libpython_folder()


def glibc_version() -> tuple[int, ...] | None:
    """Major and minor version of glibc; None where this Python uses another C library."""
    name, version = platform.libc_ver()
    if name != "glibc":
        return None
    return tuple(int(part) for part in version.split(".")[:2])


def libpython_folder() -> Path:
    """
    The folder of this Python's shared library, which the Python backend's stub loads.

    Raises:
        RuntimeInstallError: If this Python was built without one.
    """
    config = sysconfig.get_config_vars()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    library = f"libpython{version}.so.1.0"
    places = [config.get("LIBDIR"), f"{sys.base_prefix}/lib", config.get("LIBPL")]
    multiarch = config.get("MULTIARCH")
    if multiarch:
        places += [f"/usr/lib/{multiarch}", f"/lib/{multiarch}"]
    for place in places:
        if place and (Path(place) / library).is_file():
            return Path(place)
    raise RuntimeInstallError(
        f"{library} is missing, which the embedded server's Python backend loads. Install it "
        f"(Debian, Ubuntu: apt install libpython{version}), or use a Python built with "
        "--enable-shared."
    )


def site_packages(venv: Path) -> Path:
    """Where a venv of this Python keeps its packages."""
    return venv / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


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
    progress(f"installing the embedded server into {path} (once; about 400 MB)")
    building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=path.parent))
    try:
        with _sigterm_interrupts():
            venv = building / "venv"
            _run("making a venv", [sys.executable, "-m", "venv", str(venv)], progress)
            pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
            # The set is whole: without a resolver the result is the same every time.
            install = [*pip, "install", "--no-deps", "--requirement", str(requirements)]
            _run("downloading and installing packages", install, progress)
            _place_python_backend(building)
            building.rename(path)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    progress(f"installed the embedded server in {monotonic() - started:.0f} s")


def _place_python_backend(root: Path) -> None:
    server = site_packages(root / "venv") / "pytriton" / "tritonserver"
    backend = root / "python_backend"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = backend / "triton_python_backend_stub"
    shutil.copytree(
        server / "backends" / "python", backend, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(server / "python_backend_stubs" / version / stub.name, stub)
    for executable in (stub, server / "bin" / "tritonserver"):
        executable.chmod(executable.stat().st_mode | 0o111)


def _run(what: str, command: list[str], progress: Progress) -> None:
    progress(f"  {what}")
    # The venv must be of the Python that runs, whatever surrounds it.
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    # A session of its own: Ctrl-C reaches this process only, which ends the child.
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
    )
    try:
        output, _ = child.communicate()
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise
    if child.returncode:
        tail = "\n".join(output.strip().splitlines()[-12:])
        raise RuntimeInstallError(
            f"the embedded server could not be installed; {what} failed "
            f"(exit code {child.returncode}):\n{tail}"
        )


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM ends an installation as Ctrl-C does, where this thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    ensure_runtime()
