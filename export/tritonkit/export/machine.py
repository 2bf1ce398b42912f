"""The conditions of a measurement: the machine and the versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["describe_machine", "package_versions"]

# What decides how fast int8 is on a CPU.
_INT8_FLAGS = ("avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")


def describe_machine() -> dict[str, str | int]:
    """The processor, its int8 instructions, and the cores that this process may use."""
    fields = _cpuinfo()
    flags = set(f"{fields.get('flags', '')} {fields.get('Features', '')}".split())
    int8 = " ".join(flag for flag in _INT8_FLAGS if flag in flags)
    return {
        "processor": fields.get("model name", platform.processor() or platform.machine()),
        "int8_instructions": int8 or "none known",
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
    }


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of Python and of those *packages* that are installed."""
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _cpuinfo() -> dict[str, str]:
    try:
        first = Path("/proc/cpuinfo").read_text(errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
