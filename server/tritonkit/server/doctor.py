"""What this machine lacks for serving, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tritonkit.errors import ConfigError, RuntimeInstallError
from tritonkit.server.container import docker_problem
from tritonkit.server.installation import VARIABLE
from tritonkit.server.ports import choose_ports
from tritonkit.server.runtime import (
    GLIBC,
    MACHINES,
    PYTHONS,
    glibc_version,
    libpython_folder,
    runtime_path,
)
from tritonkit.units import format_size

__all__ = ["Finding", "examine"]

_SHM_BYTES = 256 * 10**6
_DISK_BYTES = 1_000 * 10**6
_PORTS = (8000, 8001, 8002)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was looked at.

    Args:
        subject: What it is.
        state: "ok", "warning" (something will not work) or "missing" (the embedded
            server will not run).
        found: What is there.
        remedy: What to do; empty where nothing is needed.
    """

    subject: str
    state: str
    found: str
    remedy: str = ""


def examine(shared_memory: Path = Path("/dev/shm")) -> tuple[Finding, ...]:
    """Look at everything that serving needs."""
    checks: tuple[Callable[[], Finding], ...] = (
        _architecture,
        _glibc,
        _python,
        _libpython,
        _server,
        _disk,
        lambda: _shm(shared_memory),
        *(partial(_port, port) for port in _PORTS),
        _docker,
    )
    return tuple(check() for check in checks)


def _architecture() -> Finding:
    here = f"{sys.platform} on {platform.machine()}"
    if sys.platform == "linux" and platform.machine() in MACHINES:
        return Finding("architecture", "ok", here)
    return Finding(
        "architecture",
        "missing",
        here,
        f"the embedded server runs on Linux on {' or '.join(MACHINES)}; use --mode docker",
    )


def _glibc() -> Finding:
    version = glibc_version()
    wanted = ".".join(map(str, GLIBC))
    if version is not None and version >= GLIBC:
        return Finding("glibc", "ok", ".".join(map(str, version)))
    return Finding(
        "glibc",
        "missing",
        "another C library" if version is None else ".".join(map(str, version)),
        f"{wanted} or newer is needed (Debian 12, Ubuntu 22.04 have it); or use --mode docker",
    )


def _python() -> Finding:
    here = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info[:2] in PYTHONS:
        return Finding("python", "ok", here)
    wanted = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    return Finding("python", "missing", here, f"install tritonkit under Python {wanted}")


def _libpython() -> Finding:
    try:
        return Finding("libpython", "ok", str(libpython_folder()))
    except RuntimeInstallError as error:
        return Finding("libpython", "missing", "no shared library", str(error))


def _server() -> Finding:
    named = os.environ.get(VARIABLE)
    if named:
        if shutil.which(named):
            return Finding("tritonserver", "ok", f"{named} (${VARIABLE})")
        return Finding("tritonserver", "missing", named, f"{VARIABLE} names no executable")
    on_path = shutil.which("tritonserver")
    if on_path:
        return Finding("tritonserver", "ok", f"{on_path} (PATH)")
    try:
        path = runtime_path()
    except RuntimeInstallError as error:
        return Finding("tritonserver", "missing", "no place for the runtime", str(error))
    if path.is_dir():
        return Finding("tritonserver", "ok", f"embedded, in {path}")
    return Finding("tritonserver", "ok", f"embedded, will be installed on first use in {path}")


def _disk() -> Finding:
    try:
        place = runtime_path()
    except RuntimeInstallError:
        place = Path("/")
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = f"{format_size(free)} free at {place}"
    if _installed() or free >= _DISK_BYTES:
        return Finding("disk", "ok", found)
    return Finding("disk", "missing", found, f"the runtime needs {format_size(_DISK_BYTES)}")


def _installed() -> bool:
    try:
        return runtime_path().is_dir()
    except RuntimeInstallError:
        return False


def _shm(folder: Path) -> Finding:
    if not folder.is_dir():
        return Finding("shared memory", "missing", f"no {folder}", f"mount a tmpfs at {folder}")
    free = shutil.disk_usage(folder).free
    found = f"{format_size(free)} free in {folder}"
    if free >= _SHM_BYTES:
        return Finding("shared memory", "ok", found)
    return Finding(
        "shared memory",
        "warning",
        found,
        "large tensors may not fit; in docker: --shm-size=1g",
    )


def _port(port: int) -> Finding:
    try:
        choose_ports("127.0.0.1", [port])
    except ConfigError:
        return Finding(f"port {port}", "warning", "taken", "serve on another, or on 0 for any")
    return Finding(f"port {port}", "ok", "free")


def _docker() -> Finding:
    problem = docker_problem()
    if problem is None:
        return Finding("docker", "ok", "running")
    return Finding("docker", "warning", "not usable", f"{problem} (only --mode docker needs it)")
