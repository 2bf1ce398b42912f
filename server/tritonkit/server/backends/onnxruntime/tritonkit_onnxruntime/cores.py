"""How many cores this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

__all__ = ["available_cores"]


def available_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """
    Cores that the affinity mask and the CPU quota of the cgroup leave, at least 1.

    A container started with `--cpus 2` keeps the affinity of the whole machine,
    so that the mask alone would make far too many threads.
    """
    cores = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    # "max" in version 2 and -1 in version 1 stand for no quota.
    return int(limit) / int(period) if limit.isdecimal() else None
