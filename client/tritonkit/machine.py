"""What a measurement ran on: this machine, and the versions of packages."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["Machine", "package_versions"]

_CPUINFO = Path("/proc/cpuinfo")

# What decides how fast int8 is on a CPU.
_INT8_FLAGS = ("avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """
    A machine, as far as figures depend on it.

    Args:
        cpu: Model name of the processor.
        int8_instructions: Those that speed up int8, by the kernel's names, or "none known".
        cores: Logical cores that this process may run on.
        memory_bytes: Main memory.
        system: Kernel and architecture.
    """

    cpu: str
    int8_instructions: str
    cores: int
    memory_bytes: int
    system: str

    @classmethod
    def here(cls, cpuinfo: Path = _CPUINFO) -> Machine:
        """This machine; what *cpuinfo* does not tell is left to `platform`."""
        fields = _first_processor(cpuinfo)
        # x86 says "flags", aarch64 "Features".
        flags = {*fields.get("flags", "").split(), *fields.get("Features", "").split()}
        return cls(
            # aarch64 kernels write no model name.
            cpu=fields.get("model name", platform.processor() or platform.machine()),
            int8_instructions=" ".join(flag for flag in _INT8_FLAGS if flag in flags)
            or "none known",
            cores=len(os.sched_getaffinity(0)),
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
        )


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Python and of those *packages* that are installed."""
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _first_processor(cpuinfo: Path) -> dict[str, str]:
    try:
        block = cpuinfo.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
