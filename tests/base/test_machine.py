from __future__ import annotations

import os
import platform
from pathlib import Path

from tritonkit.machine import Machine, package_versions

X86 = """\
processor\t: 0
model name\t: Some CPU @ 2.80GHz
flags\t\t: fpu avx2 avx512_vnni

processor\t: 1
model name\t: Another CPU
flags\t\t: amx_int8
"""
ARM = """\
processor\t: 0
Features\t: fp asimd i8mm asimddp
"""


def described(folder: Path, cpuinfo: str) -> Machine:
    path = folder / "cpuinfo"
    path.write_text(cpuinfo, encoding="utf-8")
    return Machine.here(path)


def test_the_first_processor_is_described(tmp_path: Path) -> None:
    machine = described(tmp_path, X86)
    assert machine.cpu == "Some CPU @ 2.80GHz"
    assert machine.int8_instructions == "avx2 avx512_vnni"


def test_a_processor_without_a_name_is_called_by_its_architecture(tmp_path: Path) -> None:
    machine = described(tmp_path, ARM)
    assert machine.cpu == (platform.processor() or platform.machine()) != ""
    assert machine.int8_instructions == "asimddp i8mm"


def test_a_machine_without_cpuinfo_has_no_known_instructions(tmp_path: Path) -> None:
    machine = Machine.here(tmp_path / "missing")
    assert machine.cpu
    assert machine.int8_instructions == "none known"


def test_this_machine_has_cores_and_memory() -> None:
    machine = Machine.here()
    assert machine.cores == len(os.sched_getaffinity(0))
    assert machine.memory_bytes > 10**8
    assert platform.machine() in machine.system


def test_versions_are_those_of_installed_packages() -> None:
    versions = package_versions(["numpy", "no-such-package-of-tritonkit"])
    assert set(versions) == {"python", "numpy"}
    assert versions["python"] == platform.python_version()
