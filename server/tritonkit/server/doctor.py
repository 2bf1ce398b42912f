"""What this machine lacks for serving, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tritonkit.errors import ConfigError, RuntimeInstallError
from tritonkit.server.container import docker_problem
from tritonkit.server.installation import own_installation
from tritonkit.server.machine import GLIBC, MACHINES, PYTHONS, glibc_version, libpython_folder
from tritonkit.server.ports import choose_ports
from tritonkit.server.runtime import installed_runtime, runtime_path
from tritonkit.units import format_size

__all__ = ["Finding", "State", "can_serve", "examine"]

_SHM_BYTES = 256 * 10**6
_RUNTIME_BYTES = 600 * 10**6
_PORTS = (8000, 8001, 8002)
_SHARED_MEMORY = Path("/dev/shm")


class State(StrEnum):
    """How a finding bears on serving."""

    OK = "ok"
    WARNING = "warning"
    """Something will not work."""
    MISSING = "missing"
    """`tritonkit serve` will not run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was looked at.

    Args:
        subject: What it is.
        state: How it bears on serving.
        found: What is there.
        remedy: What to do; empty where nothing is needed.
    """

    subject: str
    state: State
    found: str
    remedy: str = ""


def examine(
    *, shared_memory: Path = _SHARED_MEMORY, ports: Sequence[int] = _PORTS
) -> tuple[Finding, ...]:
    """Look at everything that serving needs."""
    server, embedded = _server()
    machine = (_architecture(), _glibc(), _python(), _libpython(), _runtime())
    return (
        server,
        # Somebody else's server brings what it needs.
        *(machine if embedded else ()),
        _shm(shared_memory),
        *(_port(port) for port in ports),
        _docker(),
    )


def can_serve(findings: Sequence[Finding]) -> bool:
    """Whether `tritonkit serve` will run."""
    return all(finding.state is not State.MISSING for finding in findings)


def _server() -> tuple[Finding, bool]:
    """Which server would run, and whether it is the embedded one."""
    try:
        own = own_installation()
    except ConfigError as error:
        return Finding("tritonserver", State.MISSING, "none", str(error)), False
    if own is not None:
        return Finding("tritonserver", State.OK, f"{own.tritonserver} ({own.source})"), False
    return Finding("tritonserver", State.OK, "the embedded one"), True


def _architecture() -> Finding:
    here = f"{sys.platform} on {platform.machine()}"
    if sys.platform == "linux" and platform.machine() in MACHINES:
        return Finding("architecture", State.OK, here)
    remedy = f"it runs on Linux on {' or '.join(MACHINES)}; use --mode docker"
    return Finding("architecture", State.MISSING, here, remedy)


def _glibc() -> Finding:
    version = glibc_version()
    here = "another C library" if version is None else ".".join(map(str, version))
    if version is not None and version >= GLIBC:
        return Finding("glibc", State.OK, here)
    wanted = ".".join(map(str, GLIBC))
    remedy = f"{wanted} or newer is needed (Debian 12, Ubuntu 22.04); or use --mode docker"
    return Finding("glibc", State.MISSING, here, remedy)


def _python() -> Finding:
    here = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info[:2] in PYTHONS:
        return Finding("python", State.OK, here)
    wanted = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    return Finding("python", State.MISSING, here, f"install tritonkit under Python {wanted}")


def _libpython() -> Finding:
    try:
        return Finding("libpython", State.OK, str(libpython_folder()))
    except RuntimeInstallError as error:
        return Finding("libpython", State.MISSING, "no shared library", str(error))


def _runtime() -> Finding:
    try:
        place = runtime_path()
        if installed_runtime() is not None:
            return Finding("runtime", State.OK, f"installed in {place}")
    except RuntimeInstallError as error:
        return Finding("runtime", State.MISSING, "no place for it", str(error))
    existing = next(parent for parent in place.parents if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        remedy = "set XDG_DATA_HOME to a folder that can be written"
        return Finding("runtime", State.MISSING, f"{existing} cannot be written", remedy)
    free = shutil.disk_usage(existing).free
    if free < _RUNTIME_BYTES:
        remedy = f"{format_size(_RUNTIME_BYTES)} are needed; or set XDG_DATA_HOME to another disk"
        return Finding("runtime", State.MISSING, f"{format_size(free)} free in {existing}", remedy)
    return Finding("runtime", State.OK, f"not installed yet; first use installs it into {place}")


def _shm(folder: Path) -> Finding:
    if not folder.is_dir():
        remedy = f"mount a tmpfs at {folder}"
        return Finding("shared memory", State.MISSING, f"no {folder}", remedy)
    free = shutil.disk_usage(folder).free
    found = f"{format_size(free)} free in {folder}"
    if free >= _SHM_BYTES:
        return Finding("shared memory", State.OK, found)
    remedy = "each instance takes 1MB and its tensors; in docker: --shm-size=1g"
    return Finding("shared memory", State.WARNING, found, remedy)


def _port(port: int) -> Finding:
    try:
        choose_ports("127.0.0.1", [port])
    except ConfigError:
        remedy = "serve on another, or on 0 for any free one"
        return Finding(f"port {port}", State.WARNING, "taken", remedy)
    return Finding(f"port {port}", State.OK, "free")


def _docker() -> Finding:
    problem = docker_problem()
    if problem is None:
        return Finding("docker", State.OK, "running")
    remedy = f"{problem} (only --mode docker needs it)"
    return Finding("docker", State.WARNING, "not usable", remedy)
