"""What the embedded server asks of this machine."""

from __future__ import annotations

import platform
import sys
import sysconfig
from pathlib import Path

from tritonkit.errors import RuntimeInstallError

__all__ = [
    "GLIBC",
    "MACHINES",
    "PYTHONS",
    "check_machine",
    "glibc_version",
    "libpython_folder",
    "python_version",
]

MACHINES = ("x86_64", "aarch64")
"""Architectures for which there is a wheel of the server."""

PYTHONS = ((3, 11), (3, 12))
"""Python versions for which the pinned set has wheels and the server a stub."""

GLIBC = (2, 35)
"""The oldest C library that the server runs with."""


def python_version() -> str:
    """Such as "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def glibc_version() -> tuple[int, ...] | None:
    """Such as (2, 36); None where the C library is another one."""
    name, version = platform.libc_ver()
    return tuple(map(int, version.split(".")[:2])) if name == "glibc" else None


def libpython_folder() -> Path:
    """
    The folder of this Python's shared library, which the Python backend's stub loads.

    Raises:
        RuntimeInstallError: If this Python was built without one.
    """
    config = sysconfig.get_config_vars()
    library = f"libpython{python_version()}.so.1.0"
    places = [config.get("LIBDIR"), f"{sys.base_prefix}/lib", config.get("LIBPL")]
    multiarch = config.get("MULTIARCH")
    if multiarch:
        places += [f"/usr/lib/{multiarch}", f"/lib/{multiarch}"]
    for place in places:
        if place and (Path(place) / library).is_file():
            return Path(place)
    raise RuntimeInstallError(
        f"{library} is missing, which the embedded server's Python backend loads. Install it "
        f"(Debian, Ubuntu: apt install libpython{python_version()}), or use a Python built with "
        "--enable-shared."
    )


def check_machine() -> None:
    """
    Refuse a machine on which the embedded server does not run.

    Raises:
        RuntimeInstallError: With what is missing and how to get it.
    """
    elsewhere = "set TRITONKIT_TRITONSERVER to a tritonserver, or use `serve --mode docker`."
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        raise RuntimeInstallError(
            f"the embedded server runs on Linux on {' or '.join(MACHINES)}, but this is "
            f"{sys.platform} on {platform.machine()}; {elsewhere}"
        )
    glibc = glibc_version()
    if glibc is None or glibc < GLIBC:
        has = "another C library" if glibc is None else ".".join(map(str, glibc))
        raise RuntimeInstallError(
            f"the embedded server needs glibc {'.'.join(map(str, GLIBC))} or newer, but this "
            f"machine has {has} (Ubuntu 22.04 and Debian 12 have enough); {elsewhere}"
        )
    if sys.version_info[:2] not in PYTHONS:
        wanted = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
        raise RuntimeInstallError(
            f"the embedded server needs Python {wanted}, but this is "
            f"{platform.python_version()}; {elsewhere}"
        )
    libpython_folder()
